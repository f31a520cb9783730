#include "app/offline/finish.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

// 0 to 1 without a corner at either end. Arithmetic alone, so that it is the same everywhere.
float smooth(double x) { return static_cast<float>(x * x * (3 - 2 * x)); }

}  // namespace

Fades::Fades(int channels, std::uint64_t in, std::uint64_t out, Sink sink)
    : channels_(static_cast<std::size_t>(channels)), in_(in), out_(out), sink_(std::move(sink)) {}

void Fades::put(std::span<const float> samples) {
  if (frames_ >= in_ && out_ == 0) {
    sink_(samples);
    return;
  }
  const std::size_t first = held_.size();
  held_.insert(held_.end(), samples.begin(), samples.end());
  for (std::size_t i = first; i < held_.size() && frames_ < in_; i += channels_, ++frames_) {
    const float gain = smooth(static_cast<double>(frames_) / static_cast<double>(in_));
    for (std::size_t c = 0; c < channels_; ++c) held_[i + c] *= gain;
  }
  const std::size_t hold = static_cast<std::size_t>(out_) * channels_;
  if (held_.size() <= hold) return;
  const std::size_t ready = held_.size() - hold;
  sink_({held_.data(), ready});
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(ready));
}

void Fades::finish() {
  const std::size_t n = held_.size() / channels_;
  for (std::size_t f = 0; f < n; ++f) {
    const float gain = smooth(static_cast<double>(n - 1 - f) / static_cast<double>(n));
    for (std::size_t c = 0; c < channels_; ++c) held_[f * channels_ + c] *= gain;
  }
  if (!held_.empty()) sink_(held_);
  held_.clear();
}

double normalizing_gain(double lufs, double loudness, double true_peak) {
  if (!std::isfinite(loudness) || !(true_peak > 0)) return 1;
  const double wanted = std::pow(10, (lufs - loudness) / 20);
  return std::min(wanted, std::pow(10, true_peak_dbtp / 20) / true_peak);
}

}  // namespace mambo
