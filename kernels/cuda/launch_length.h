// How long a launch may be.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace mambo::cuda {

// How many steps a launch takes, so that it lasts some 20 ms whatever the model, the device and the
// number of streams: a display on the same GPU waits no longer. The rule is measured: as many steps
// as take that long by the previous launch, whose time is divided by its steps and its `waves`
// (CTAs per SM, which run one after the other); the first launch uses an estimate. On an H100
// piano-lab takes 63 us per step with eight streams per SM, so that 1,056 streams, one wave, get
// 317 steps per launch, and 2,112, two waves, 158. The samples drawn do not depend on where
// launches end.
class LaunchLength {
 public:
  using Clock = std::chrono::steady_clock;
  // us: the estimate per step and wave. most: steps per launch, whatever they take.
  LaunchLength(double us, std::size_t most) : us_(us), most_(most) {}

  std::size_t steps(std::size_t left, std::size_t waves = 1) const {
    const double fit = kLaunchUs / (std::max(us_, 0.1) * static_cast<double>(waves));
    const auto n = static_cast<std::size_t>(std::min(fit, static_cast<double>(most_)));
    return std::min(left, std::max(n, kFewest));
  }
  // A launch lasted from `begin` until now. One of few steps tells of launches, not of steps.
  void took(std::size_t steps, Clock::time_point begin, std::size_t waves = 1) {
    if (steps < kFewest) return;
    const std::chrono::duration<double, std::micro> us = Clock::now() - begin;
    us_ = us.count() / static_cast<double>(steps * waves);
  }

 private:
  static constexpr double kLaunchUs = 20'000;
  static constexpr std::size_t kFewest = 16;  // fewer, and setting up a CTA would show
  double us_;
  std::size_t most_;
};

}  // namespace mambo::cuda
