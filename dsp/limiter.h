// A look-ahead peak limiter: no output exceeds the ceiling, and while no input does, it is a plain
// delay, bit for bit.
//
// The gain that a sample needs is held until the sample has left, then released exponentially, and
// averaged over the look-ahead: the gain is reached when the peak arrives, without a corner. The
// average is summed in integers, so it does not drift and returns to exactly 1. Trade-off: a delay
// of `look_ahead` samples (1 to 2 ms suffice), where a clipper would have none and would distort.
// Cost per sample: a few operations and, amortised, one comparison; no allocation.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mambo {

class Limiter {
 public:
  explicit Limiter(float ceiling = 1.0F) : ceiling_(ceiling) { prepare(48, 2400); }

  // Allocates; resets the history. Both in samples; release: the time constant.
  void prepare(std::size_t look_ahead, std::size_t release) {
    delay_.assign(look_ahead, 0.0F);
    gains_.assign(look_ahead, unity);
    minima_.assign(look_ahead + 1, {});
    first_ = count_ = 0;
    now_ = 0;
    sum_ = static_cast<std::int64_t>(look_ahead) * unity;
    held_ = 1.0;
    release_ = 1.0 - std::exp(-1.0 / static_cast<double>(release));
  }
  std::size_t latency() const { return delay_.size(); }

  float process(float x) {
    if (!std::isfinite(x)) x = 0.0F;  // not to reach a loudspeaker
    const std::size_t n = delay_.size();
    const double need =
        std::fabs(x) > ceiling_ ? ceiling_ / std::fabs(static_cast<double>(x)) : 1.0;
    const double most = hold(need);
    held_ = std::min(most, held_ + (1.0 - held_) * release_);
    if (held_ > 1.0 - 1e-6) held_ = most;  // ends the exponential: back to exactly 1

    const std::size_t slot = static_cast<std::size_t>(now_ % n);
    const auto gain = static_cast<std::int64_t>(held_ * static_cast<double>(unity));
    sum_ += gain - gains_[slot];
    gains_[slot] = gain;
    const float out = delay_[slot];
    delay_[slot] = x;
    ++now_;
    const std::int64_t full = static_cast<std::int64_t>(n) * unity;
    if (sum_ == full) return out;
    const double limited = out * (static_cast<double>(sum_) / static_cast<double>(full));
    return std::clamp(static_cast<float>(limited), -ceiling_, ceiling_);
  }

 private:
  static constexpr std::int64_t unity = std::int64_t{1} << 30;
  struct Minimum {
    std::uint64_t when;
    double gain;
  };

  // The least gain needed by the current sample and the look_ahead before it: a monotonic queue,
  // each of whose entries is pushed and popped once.
  double hold(double need) {
    const std::size_t size = minima_.size();
    while (count_ > 0 && minima_[(first_ + count_ - 1) % size].gain >= need) --count_;
    if (count_ > 0 && minima_[first_].when + delay_.size() < now_) {
      first_ = (first_ + 1) % size;
      --count_;
    }
    minima_[(first_ + count_++) % size] = {now_, need};
    return minima_[first_].gain;
  }

  float ceiling_;
  std::vector<float> delay_;
  std::vector<std::int64_t> gains_;
  std::vector<Minimum> minima_;
  std::size_t first_ = 0, count_ = 0;
  std::uint64_t now_ = 0;
  std::int64_t sum_ = 0;
  double held_ = 1.0, release_ = 0.0;
};

}  // namespace mambo
