#include "dsp/output_stage.h"

#include <algorithm>
#include <chrono>

namespace mambo {
namespace {

constexpr double fade_s = 0.005;
constexpr double gain_s = 0.020;
constexpr double look_ahead_s = 0.0015;
constexpr double release_s = 0.080;

std::size_t samples(double seconds, int rate) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(seconds * rate));
}

}  // namespace

OutputStage::OutputStage(RingBuffer<float>& ring, bool keeps_offset)
    : ring_(ring), keeps_offset_(keeps_offset) {
  prepare(16000, 16000, 1);
}

void OutputStage::prepare(int model_rate, int device_rate, int channels) {
  resampler_ = std::make_unique<Resampler>(model_rate, device_rate);
  dc_.prepare(model_rate);
  match_.prepare(model_rate);
  fader_.set_length(samples(fade_s, model_rate));
  audition_.prepare(samples(fade_s, model_rate));
  gain_ = SmoothGain(samples(gain_s, device_rate));
  gain_.jump(gain_target_.load());
  ceiling_.prepare(device_rate);
  limiter_.prepare(samples(look_ahead_s, device_rate), samples(release_s, device_rate));
  channels_ = static_cast<std::size_t>(std::max(1, channels));
  source_.assign(piece, 0.0F);
  mono_.assign(piece, 0.0F);
  source_at_ = source_end_ = 0;
  last_ = 0;
  starved_ = true;
  cutting_ = false;
  mean_fill_ = 0;
  device_rate_ = device_rate;
  device_delay_s_ = 0;
  closed_ = true;
  reserve_ = fader_.length();
  block_ = 0;
  latency_s_ = resampler_->latency_s() + static_cast<double>(limiter_.latency()) / device_rate;
}

void OutputStage::render(float* out, std::size_t frames) noexcept {
  const double delay_s = latency_s_.load(std::memory_order_relaxed) + device_delay_s_ +
                         static_cast<double>(frames) / device_rate_;
  gain_.set(gain_target_.load(std::memory_order_relaxed));
  const float wanted = match_target_.load(std::memory_order_relaxed);
  match_.set(std::isnan(wanted) ? std::nullopt : std::optional<double>(wanted));
  mean_fill_ += (static_cast<float>(ring_.filled()) - mean_fill_) * 0.02F;
  const std::size_t asked = resampler_->needed(frames);
  if (asked > block_.load(std::memory_order_relaxed)) {
    block_.store(asked, std::memory_order_relaxed);
  }
  while (frames > 0) {
    const std::size_t n = std::min(frames, piece);
    convert({mono_.data(), n});
    for (std::size_t i = 0; i < n; ++i) {
      const float x = limiter_.process(ceiling_.process(mono_[i] * gain_.next()));
      for (std::size_t c = 0; c < channels_; ++c) *out++ = x;
    }
    frames -= n;
  }
  closed_.store(fader_.is_closed(), std::memory_order_release);
  heard_lufs_.store(static_cast<float>(match_.heard().lufs()), std::memory_order_relaxed);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  place_.write({ring_.consumed(), std::chrono::nanoseconds(now).count(), mean_fill_, delay_s});
}

void OutputStage::convert(std::span<float> to) noexcept {
  if (resampler_->bypassed()) return pull(to);
  while (!to.empty()) {
    if (source_at_ == source_end_) {
      // Never more than what is needed for certain: the rest of the ring stays in the ring.
      const std::size_t most = resampler_->needed(to.size());
      source_at_ = 0;
      source_end_ = std::clamp<std::size_t>(most - 1, 1, piece);
      pull({source_.data(), source_end_});
    }
    const Resampler::Moved moved =
        resampler_->process({source_.data() + source_at_, source_end_ - source_at_}, to);
    source_at_ += moved.in;
    to = to.subspan(moved.out);
  }
}

void OutputStage::pull(std::span<float> to) noexcept {
  while (!to.empty()) {
    // The fill before the cut: what is counted here was written before any cut not seen below.
    const std::size_t fill = ring_.filled();
    const bool open = should_open();
    std::size_t n = 1;
    if (open && fader_.is_open() &&
        fill > fader_.to_close()) {  // the common case: all but the reserve
      n = std::min(to.size(), fill - fader_.to_close());
      ring_.read(to.first(n));
      last_ = to[n - 1];
      for (float& x : to.first(n)) x = shaped(x);
    } else if (!open && fader_.is_closed()) {
      n = to.size();
      audition_.read(to);  // silence, mostly
    } else {
      to.front() = next(open);
    }
    to = to.subspan(n);
  }
}

// Whether to be open, or on the way there, for the next sample.
bool OutputStage::should_open() noexcept {
  const std::uint64_t cut = cut_.load(std::memory_order_acquire);
  if (cut > cut_at_) {
    cut_at_ = cut;
    cutting_ = true;
  }
  if (cutting_) {
    if (!fader_.is_closed()) return false;
    if (cut_at_ > ring_.consumed()) {
      ring_.discard(static_cast<std::size_t>(cut_at_ - ring_.consumed()));
    }
    cutting_ = false;
    starved_ = true;  // the stream starts anew
    dc_.reset();
    match_.forget();
  }
  if (!playing_.load(std::memory_order_relaxed) || audition_.busy()) return false;
  if (starved_ || fader_.is_closed()) {
    const std::size_t enough =
        std::max(refill_.load(std::memory_order_relaxed), fader_.length() + 1);
    starved_ = ring_.filled(enough) < enough;
  } else if (ring_.filled(fader_.to_close() + 1) <= fader_.to_close()) {
    starved_ = true;
    underruns_.fetch_add(1, std::memory_order_relaxed);
  }
  return !starved_;
}

// One sample on the way up or down. If the ring has none for it (a cut close behind), the last
// sample is held while it fades.
float OutputStage::next(bool open) noexcept {
  if (!cutting_ || ring_.consumed() < cut_at_) ring_.read({&last_, 1});
  return shaped(last_) * (open ? fader_.open() : fader_.close());
}

}  // namespace mambo
