#include "app/gui/history/spectrogram.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace mambo::gui {
namespace {

struct FreePlan {
  void operator()(kiss_fftr_state* p) const { kiss_fftr_free(p); }
};

}  // namespace

struct Spectrogram::Plan {
  std::unique_ptr<kiss_fftr_state, FreePlan> fft;
  std::vector<float> window, in;
  std::vector<kiss_fft_cpx> out;
};

Spectrogram::Spectrogram() : plan_(std::make_unique<Plan>()) {}
Spectrogram::~Spectrogram() = default;

void Spectrogram::reset(int rate, double seconds) {
  rate_ = rate;
  size_ = std::bit_ceil(static_cast<std::size_t>(rate) / 10U);
  hop_ = size_ / 8;
  frames_ = static_cast<std::size_t>(seconds * rate / static_cast<double>(hop_)) + 2;
  begin_ = end_ = 0;
  levels_.assign(frames_ * bins(), 0);
  plan_->fft.reset(kiss_fftr_alloc(static_cast<int>(size_), 0, nullptr, nullptr));
  plan_->in.resize(size_);
  plan_->out.resize(bins());
  plan_->window.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size_);
    plan_->window[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
  }
}

void Spectrogram::follow(const Pyramid<float>& samples, std::uint64_t epoch, int most) {
  if (rate_ == 0) return;
  const std::uint64_t half = size_ / 2;
  // A frame needs the half window after its centre; before the beginning there is silence.
  const std::uint64_t ready = samples.end() < half ? 0 : (samples.end() - half) / hop_ + 1;
  if (epoch != epoch_) {
    epoch_ = epoch;
    end_ = begin_;
  }
  const std::uint64_t oldest = samples.begin() / hop_;
  if (end_ < oldest || end_ - begin_ == 0) begin_ = end_ = oldest;
  for (int n = 0; n < most && end_ < ready; ++n) transform(samples, end_++);
  if (end_ - begin_ > frames_) begin_ = end_ - frames_;
}

void Spectrogram::transform(const Pyramid<float>& samples, std::uint64_t frame) {
  const std::int64_t start =
      static_cast<std::int64_t>(frame * hop_) - static_cast<std::int64_t>(size_ / 2);
  for (std::size_t i = 0; i < size_; ++i) {
    const std::int64_t at = start + static_cast<std::int64_t>(i);
    const bool there = at >= 0 && samples.holds(static_cast<std::uint64_t>(at));
    const float x = there ? samples.at(static_cast<std::uint64_t>(at)) : 0.0F;
    plan_->in[i] = std::isnan(x) ? 0.0F : x * plan_->window[i];
  }
  kiss_fftr(plan_->fft.get(), plan_->in.data(), plan_->out.data());
  const float full = static_cast<float>(size_) / 4.0F;  // a full-scale sine under a Hann window
  std::uint8_t* row = &levels_[(frame % frames_) * bins()];
  for (std::size_t b = 0; b < bins(); ++b) {
    const float re = plan_->out[b].r / full;
    const float im = plan_->out[b].i / full;
    const float db = 10.0F * std::log10(re * re + im * im + 1e-12F);
    row[b] = static_cast<std::uint8_t>(std::clamp(255.0F * (1.0F - db / floor_db), 0.0F, 255.0F));
  }
}

float Spectrogram::level(std::uint64_t from, std::uint64_t to, std::size_t bin) const {
  from = std::max(from, begin_);
  to = std::min(to, end_);
  if (from >= to || bin >= bins()) return std::numeric_limits<float>::quiet_NaN();
  std::uint8_t loudest = 0;
  for (std::uint64_t k = from; k < to; ++k) {
    loudest = std::max(loudest, levels_[(k % frames_) * bins() + bin]);
  }
  return floor_db * (1.0F - static_cast<float>(loudest) / 255.0F);
}

}  // namespace mambo::gui
