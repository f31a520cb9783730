// Turns down what a runaway model makes: noise near full scale that does not stop, which in
// headphones hurts. All other sound passes as it is, bit for bit.
//
// The sound is looked at in blocks of 25 ms, at 16 kHz or a little less (every second, third, ...
// sample). A block is noise when its mean square is above -17 dBFS and linear prediction of order
// 32 leaves more than a quarter of it: of white noise it leaves nearly all, of the piano and the
// drum model's sound at temperature 10 four fifths; of tones, chords and drums that ring nearly
// nothing (of the clips in assets/seeds never more than 1/300 for 0.3 s, however loud they are
// played). After 0.3 s of nothing but noise the gain goes down, with a time constant of 60 ms, to
// where the noise is at -26 dBFS (RMS), and follows it there. After 0.3 s without noise, for which
// 3 dB less suffice by then, it comes back, with a time constant of 0.2 s, to exactly 1.
//
// Trade-off: 0.3 s of noise are heard, so that cymbals, breath and applause stay as they are; and
// steady noise at that level is turned down though it may be meant.
// Cost per sample: a comparison or two; per block 13,000 multiply-adds. No allocation but in
// prepare().
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace mambo {

class NoiseCeiling {
 public:
  static constexpr float ceiling = 0.05F;                  // RMS
  static constexpr float loud = 0.02F;                     // mean square
  static constexpr float still_loud = 0.01F;               // likewise, while the gain is down
  static constexpr double flat = 0.25, still_flat = 0.15;  // what prediction leaves, of 1
  static constexpr double block_s = 0.025;
  static constexpr int patience = 12;  // blocks
  static constexpr double patience_s = patience * block_s;

  NoiseCeiling() { prepare(16000); }

  // rate: Hz. Forgets what was before. Allocates.
  void prepare(double rate) {
    const auto pole = [rate](double seconds) { return 1.0 - std::exp(-1.0 / (seconds * rate)); };
    down_ = pole(down_s);
    up_ = pole(up_s);
    step_ = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(rate / looked_at_hz)));
    const double length = block_s * rate / static_cast<double>(step_);
    block_.assign(std::max<std::size_t>(order + 1, static_cast<std::size_t>(length)), 0.0F);
    window_.resize(block_.size());
    for (std::size_t i = 0; i < window_.size(); ++i) {
      const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(window_.size());
      window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * at));
    }
    at_ = skipped_ = 0;
    noisy_ = calm_ = 0;
    acts_ = false;
    gain_ = goal_ = 1.0;
  }

  float process(float x) {
    if (++skipped_ >= step_) {
      skipped_ = 0;
      block_[at_] = std::isfinite(x) ? std::clamp(x, -most, most) : 0.0F;
      if (++at_ == block_.size()) end_block();
    }
    if (!acts_) return x;
    gain_ += (goal_ - gain_) * (goal_ < gain_ ? down_ : up_);
    if (goal_ == 1.0 && gain_ > 0.9999) {  // ends the exponential: back to exactly 1
      gain_ = 1.0;
      acts_ = false;
    }
    return static_cast<float>(x * gain_);
  }
  double gain() const { return gain_; }

 private:
  static constexpr double looked_at_hz = 16000, down_s = 0.06, up_s = 0.2;
  static constexpr std::size_t order =
      32;  // half a period of 250 Hz, so that it knows a square wave
  static constexpr float most = 8.0F;

  void end_block() {
    at_ = 0;
    float mean = 0;
    for (const float x : block_) mean += x * x;
    mean /= static_cast<float>(block_.size());
    const bool down = goal_ < 1.0;
    const bool noise =
        mean > (down ? still_loud : loud) && unpredicted() > (down ? still_flat : flat);
    noisy_ = noise ? std::min(noisy_ + 1, patience) : 0;
    calm_ = noise ? 0 : std::min(calm_ + 1, patience);
    if (noisy_ == patience || (down && noise)) {
      goal_ = std::min(1.0, ceiling / std::sqrt(static_cast<double>(mean)));
      acts_ = true;
    } else if (calm_ == patience) {
      goal_ = 1.0;
    }
  }

  // The share of the block that linear prediction leaves (Levinson and Durbin's recursion over the
  // autocorrelation of the windowed block): 1 of white noise, 0 of what repeats itself.
  double unpredicted() {
    for (std::size_t i = 0; i < block_.size(); ++i) block_[i] *= window_[i];
    std::array<double, order + 1> r{};
    for (std::size_t lag = 0; lag <= order; ++lag) {
      float sum = 0;
      for (std::size_t i = lag; i < block_.size(); ++i) sum += block_[i] * block_[i - lag];
      r[lag] = sum;
    }
    if (!(r[0] > 0)) return 0;
    std::array<double, order + 1> a{1.0};
    double left = r[0];
    for (std::size_t i = 1; i <= order; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < i; ++j) sum += a[j] * r[i - j];
      const double k = -sum / left;
      std::array<double, order + 1> next = a;
      for (std::size_t j = 1; j <= i; ++j) next[j] += k * a[i - j];
      a = next;
      left *= 1 - k * k;
      if (!(left > 1e-6 * r[0])) return 0;  // as far as floats know it
    }
    return left / r[0];
  }

  double down_ = 0, up_ = 0;  // per sample; in double, or the last steps to 1 would be lost
  std::size_t step_ = 1, skipped_ = 0, at_ = 0;
  std::vector<float> block_, window_;
  int noisy_ = 0, calm_ = 0;  // blocks in a row, up to patience
  bool acts_ = false;         // whether the gain is, or may be, other than 1
  double gain_ = 1, goal_ = 1;
};

}  // namespace mambo
