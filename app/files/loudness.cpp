#include "app/files/loudness.h"

#include <ebur128.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "app/files/codes.h"
#include "kernels/error.h"

namespace mambo {

struct LoudnessMeter::Impl {
  ebur128_state* state = nullptr;
  int channels = 1;
  bool peak = true;
  ~Impl() {
    if (state != nullptr) ebur128_destroy(&state);
  }
};

LoudnessMeter::LoudnessMeter(int rate, int channels, bool peak) : impl_(std::make_unique<Impl>()) {
  impl_->channels = channels;
  impl_->peak = peak;
  impl_->state =
      ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate),
                   EBUR128_MODE_I | EBUR128_MODE_HISTOGRAM | (peak ? EBUR128_MODE_TRUE_PEAK : 0));
  if (impl_->state == nullptr) {
    throw Error(fmt::format("loudness cannot be measured at {} Hz, {} channels", rate, channels));
  }
}

LoudnessMeter::~LoudnessMeter() = default;

void LoudnessMeter::add(std::span<const float> samples) {
  const std::size_t frames = samples.size() / static_cast<std::size_t>(impl_->channels);
  if (ebur128_add_frames_float(impl_->state, samples.data(), frames) != EBUR128_SUCCESS) {
    throw Error("there is not enough memory to measure loudness");
  }
}

Loudness LoudnessMeter::so_far() const {
  Loudness loudness{-std::numeric_limits<double>::infinity(), 0};
  ebur128_loudness_global(impl_->state, &loudness.lufs);
  for (int c = 0; impl_->peak && c < impl_->channels; ++c) {
    double peak = 0;
    ebur128_true_peak(impl_->state, static_cast<unsigned>(c), &peak);
    loudness.true_peak = std::max(loudness.true_peak, peak);
  }
  return loudness;
}

std::optional<double> loudness_of_end(std::span<const std::uint8_t> codes, Encoding encoding,
                                      int rate) {
  const auto most = static_cast<std::size_t>(clip_end_s * rate);
  const std::array<float, 256> table = decode_table(encoding);
  std::vector<float> samples;
  for (const std::uint8_t c : codes.last(std::min(most, codes.size()))) {
    samples.push_back(table[c]);
  }
  LoudnessMeter meter(rate, 1, false);
  meter.add(samples);
  const double lufs = meter.so_far().lufs;
  return std::isfinite(lufs) ? std::optional(lufs) : std::nullopt;
}

}  // namespace mambo
