// How loud a sound has been of late, as EBU R 128 and ITU-R BS.1770 measure it: K-weighted power in
// blocks of 400 ms, those below -70 LUFS and those 10 LU below the mean of the rest left out.
//
// For threads that must not allocate; app/files/loudness.h measures whole files. Both agree within
// 0.3 LU. Cost per sample: two biquads in double; per tenth of a second, a pass over 100 numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

namespace mambo {

// The two filters of BS.1770 in a row, for any rate: a high shelf for the head, a high pass.
class KWeighting {
 public:
  void prepare(double rate) {  // Hz; forgets
    const double g = std::pow(10.0, 3.999843853973347 / 20);
    const double gb = std::pow(g, 0.4996667741545416);
    double k = std::tan(std::numbers::pi * 1681.974450955533 / rate);
    double kq = k / 0.7071752369554196;
    double a0 = 1 + kq + k * k;
    shelf_ = {(g + gb * kq + k * k) / a0, 2 * (k * k - g) / a0, (g - gb * kq + k * k) / a0,
              2 * (k * k - 1) / a0, (1 - kq + k * k) / a0};
    k = std::tan(std::numbers::pi * 38.13547087602444 / rate);
    kq = k / 0.5003270373238773;
    a0 = 1 + kq + k * k;
    pass_ = {1, -2, 1, 2 * (k * k - 1) / a0, (1 - kq + k * k) / a0};
  }
  void reset() {
    shelf_.reset();
    pass_.reset();
  }
  double process(double x) { return pass_.process(shelf_.process(x)); }
  // Numbers too small to be quick become nothing.
  void settle() {
    shelf_.settle();
    pass_.settle();
  }

 private:
  struct Biquad {
    double b0 = 1, b1 = 0, b2 = 0, a1 = 0, a2 = 0;
    double s1 = 0, s2 = 0;  // transposed direct form II
    double process(double x) {
      const double y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      return y;
    }
    void reset() { s1 = s2 = 0; }
    void settle() {
      if (std::fabs(s1) + std::fabs(s2) < 1e-30) reset();
    }
  };
  Biquad shelf_, pass_;
};

// The last ten seconds. One thread; no allocation.
class LoudnessWindow {
 public:
  static constexpr double kNothing = -std::numeric_limits<double>::infinity();
  static constexpr std::size_t kBlocksPerSecond = 10;
  static constexpr std::size_t kBlocks = 10 * kBlocksPerSecond;

  void prepare(double rate) {  // Hz; forgets
    filter_.prepare(rate);
    length_ = static_cast<std::size_t>(std::lround(rate / kBlocksPerSecond));
    reset();
  }
  void reset() {
    filter_.reset();
    sum_ = 0;
    count_ = 0;
    blocks_ = 0;
    lufs_ = momentary_ = kNothing;
  }
  std::size_t block() const { return length_; }  // samples: a tenth of a second

  // One sample. True once per block(): the figures are new.
  bool hear(float sample) {
    const double x = filter_.process(std::isfinite(sample) ? static_cast<double>(sample) : 0.0);
    sum_ += x * x;
    if (++count_ < length_) return false;
    powers_[blocks_++ % kBlocks] = sum_ / static_cast<double>(length_);
    sum_ = 0;
    count_ = 0;
    filter_.settle();
    measure();
    return true;
  }

  // LUFS; kNothing: silence, or less than 0.4 s.
  double lufs() const { return lufs_; }            // of the last ten seconds, gated
  double momentary() const { return momentary_; }  // of the last 400 ms, all of them
  double seconds() const {                         // that the window holds
    return static_cast<double>(std::min(blocks_, kBlocks)) / kBlocksPerSecond;
  }

 private:
  static constexpr std::size_t kOverlap = 4;  // blocks of a tenth in one of 400 ms
  static double loudness(double power) {
    return power > 0 ? -0.691 + 10 * std::log10(power) : kNothing;
  }
  static double power(double lufs) { return std::pow(10.0, (lufs + 0.691) / 10); }

  double over_400_ms(std::size_t last) const {
    double sum = 0;
    for (std::size_t i = 0; i < kOverlap; ++i) sum += powers_[(last - i) % kBlocks];
    return sum / kOverlap;
  }
  // Of the blocks of 400 ms above a power, their mean; 0: there is none.
  double mean_above(double least) const {
    const std::size_t first = blocks_ > kBlocks ? blocks_ - kBlocks : 0;
    double sum = 0;
    std::size_t n = 0;
    for (std::size_t last = first + kOverlap - 1; last < blocks_; ++last) {
      const double p = over_400_ms(last);
      if (p < least) continue;
      sum += p;
      ++n;
    }
    return n > 0 ? sum / static_cast<double>(n) : 0;
  }
  void measure() {
    if (blocks_ < kOverlap) return;
    const double absolute = power(-70);
    momentary_ = loudness(over_400_ms(blocks_ - 1));
    const double ungated = mean_above(absolute);
    lufs_ = ungated > 0 ? loudness(mean_above(std::max(absolute, ungated / 10))) : kNothing;
  }

  KWeighting filter_;
  std::size_t length_ = 1600, count_ = 0;
  double sum_ = 0;
  std::array<double, kBlocks> powers_{};  // block i at i % kBlocks
  std::size_t blocks_ = 0;                // heard
  double lufs_ = kNothing, momentary_ = kNothing;
};

}  // namespace mambo
