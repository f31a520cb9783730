// Goes over from one sound to another without a click where the first is not drawn any further: its
// last samples are played backwards while they fade out, and the new sound fades in. Backwards they
// begin with the sample that was heard last, so nothing jumps.
//
// Cost: a copy of each sample, two multiplications while it fades; no allocation once prepared. The
// same samples however they are cut into pieces. One thread.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

namespace mambo {

class MirrorFade {
 public:
  static constexpr double kFade_s = 0.030;

  void prepare(double rate) {  // Hz. Allocates; forgets
    const auto n = static_cast<std::size_t>(kFade_s * rate) + 1;
    past_.assign(n, 0.0F);
    tail_.assign(n, 0.0F);
    at_ = 0;
    left_ = 0;
  }
  // What comes next is the new sound.
  void begin() {
    const std::size_t n = past_.size();
    for (std::size_t i = 0; i < n; ++i) tail_[i] = past_[(at_ + n - 1 - i) % n];
    left_ = n;
  }
  void stop() { left_ = 0; }  // what still fades out is dropped
  // The next samples of whatever sounds, mixed in place while it fades over.
  void pass(std::span<float> samples) {
    const std::size_t n = past_.size();
    for (float& x : samples) {
      if (left_ > 0) {
        const std::size_t gone = n - left_--;
        const double phase =
            std::numbers::pi * static_cast<double>(gone + 1) / static_cast<double>(n);
        const auto in = static_cast<float>(0.5 - 0.5 * std::cos(phase));
        x = in * x + (1.0F - in) * tail_[gone];
      }
      past_[at_] = x;
      at_ = at_ + 1 == n ? 0 : at_ + 1;
    }
  }

 private:
  std::vector<float> past_, tail_;  // a ring of what was heard; backwards, what fades out
  std::size_t at_ = 0, left_ = 0;
};

}  // namespace mambo
