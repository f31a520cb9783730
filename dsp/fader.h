// Two ways to change loudness without a click.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace mambo {

// Opens and closes along a raised cosine of `length` samples; may reverse at any point on the way.
// Exactly 0 when closed and exactly 1 when open. Cost: one table look-up per sample. The slope is
// at most pi / (2 * length) per sample, which bounds the step of a full-scale constant.
class Fader {
 public:
  explicit Fader(std::size_t length = 1) { set_length(length); }

  // Allocates; not for the audio thread. The fader is closed afterwards.
  void set_length(std::size_t length) {
    curve_.resize(length + 1);
    for (std::size_t i = 0; i <= length; ++i) {
      const double phase = static_cast<double>(i) / static_cast<double>(length);
      curve_[i] = static_cast<float>(0.5 - 0.5 * std::cos(std::numbers::pi * phase));
    }
    curve_[length] = 1.0F;
    at_ = 0;
  }
  std::size_t length() const { return curve_.size() - 1; }

  bool is_open() const { return at_ == length(); }
  bool is_closed() const { return at_ == 0; }
  std::size_t to_close() const { return at_; }  // samples until it is closed

  float open() { return curve_[at_ < length() ? ++at_ : at_]; }
  float close() { return curve_[at_ > 0 ? --at_ : at_]; }
  void shut() { at_ = 0; }

 private:
  std::vector<float> curve_;
  std::size_t at_ = 0;
};

// Follows a gain in a straight line over `length` samples and lands on it exactly, so that a gain
// of 1 passes samples bit for bit. Cost: one addition and one multiplication per sample.
class SmoothGain {
 public:
  explicit SmoothGain(std::size_t length = 1) : length_(length) {}

  void jump(float gain) {
    gain_ = target_ = gain;
    left_ = 0;
  }
  void set(float gain) {
    if (gain == target_) return;
    target_ = gain;
    left_ = length_;
    step_ = (target_ - gain_) / static_cast<float>(length_);
  }
  float next() {
    if (left_ > 0) gain_ = --left_ > 0 ? gain_ + step_ : target_;
    return gain_;
  }

 private:
  std::size_t length_;
  std::size_t left_ = 0;
  float gain_ = 1.0F, target_ = 1.0F, step_ = 0.0F;
};

}  // namespace mambo
