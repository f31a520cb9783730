// Takes a constant offset away, which is inaudible, but holds a loudspeaker's cone off its
// rest, heats its coil, and makes a limiter turn down what is heard.
//
// The mean of the last quarter of a second or so, by two one-pole low-passes at 2 Hz, is subtracted
// as far as it is more than 3 % of full scale. Sound whose mean stays within passes as it is, bit
// for bit, and so does a tone of 40 Hz at full scale from its first sample on. Trade-off: an
// offset of full scale takes 0.4 s to fall below a tenth, and one of up to 3 % stays.
// Cost per sample: two multiply-adds in double and a comparison; no allocation.
#pragma once

#include <cmath>
#include <numbers>

namespace mambo {

class DcBlocker {
 public:
  static constexpr float tolerated = 0.03F;

  // rate: Hz. Forgets what was before.
  void prepare(double rate) {
    pole_ = 1.0 - std::exp(-2.0 * std::numbers::pi * corner / rate);
    reset();
  }
  void reset() { first_ = mean_ = 0; }

  // |output| is at most |x| + 1 for inputs within +-1.
  float process(float x) {
    if (!std::isfinite(x)) x = 0.0F;  // would stay in the mean for ever
    first_ += pole_ * (static_cast<double>(x) - first_);
    mean_ += pole_ * (first_ - mean_);
    const double size = std::fabs(mean_);
    if (size <= tolerated) {
      if (size < nothing) reset();  // numbers too small to be quick
      return x;
    }
    return x - static_cast<float>(std::copysign(size - tolerated, mean_));
  }

 private:
  static constexpr double corner = 2.0;  // Hz, of each low-pass
  static constexpr double nothing = 1e-30;
  double pole_ = 0, first_ = 0, mean_ = 0;
};

}  // namespace mambo
