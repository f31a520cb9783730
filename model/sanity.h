// Whether what a network says can be drawn from in earnest. Weights that are finite, but absurd (a
// damaged file, a diverged training, a stranger's joke), overflow on the way: drawing from NaN
// gives full-scale noise or a constant at the end of the scale.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>

namespace mambo {

// Of a trained network the largest logit is some tens.
inline constexpr float kLargestLogit = 1e4F;

// The largest one finite and within +-kLargestLogit, none NaN. Those that are meant never to be
// drawn may be as low as they like. logits: [V]. Cost: a pass over them; any thread, real-time.
inline bool can_be_drawn_from(std::span<const float> logits) noexcept {
  float top = -INFINITY;
  bool numbers = true;
  for (const float x : logits) {
    numbers = numbers && !std::isnan(x);
    top = x > top ? x : top;
  }
  return numbers && std::fabs(top) <= kLargestLogit;
}

// The clause about logits that cannot be drawn from: "the model's outputs are NaN".
std::string why_not_drawn_from(std::span<const float> logits);

// Watches the level of what is drawn, a chunk at a time: whether it stays at an end of the scale.
// One thread, real-time.
class StuckMeter {
 public:
  void prepare(double rate) {  // Hz; forgets
    window_ = static_cast<std::uint64_t>(0.5 * rate);
    reset();
  }
  void reset() {
    sum_ = 0;
    count_ = 0;
  }
  // True when the mean of half a second is beyond +-0.9.
  bool hear(std::span<const float> samples) noexcept {
    for (const float x : samples) sum_ += static_cast<double>(x);
    count_ += samples.size();
    if (count_ < window_) return false;
    const bool stuck = std::fabs(sum_) > 0.9 * static_cast<double>(count_);
    reset();
    return stuck;
  }

 private:
  std::uint64_t window_ = 8000, count_ = 0;
  double sum_ = 0;
};

}  // namespace mambo
