// Brings what is played slowly towards the loudness of another sound: a clip's, which the model
// often continues some decibels louder or quieter than it was.
//
// The gain follows the difference between the loudness wanted and that of the last ten seconds with
// a time constant of three seconds, within +-12 dB, and in a straight line over each tenth of a
// second. It stands still in silence, as in all that is 20 LU quieter than the sound around it, so
// that rests are not pulled up. What is measured is what comes in, not what goes out: there is no
// loop that could swing. Off, the gain goes back to 1 and every sample passes bit for bit.
// Cost per sample: LoudnessWindow's and one multiplication; no allocation.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include "dsp/loudness_window.h"

namespace mambo {

// One thread.
class LevelMatch {
 public:
  static constexpr double kMost_db = 12;
  static constexpr double kTime_s = 3;       // time constant
  static constexpr double kBack_s = 0.3;     // the same when it was switched off
  static constexpr double kLeast_s = 1;      // of sound, before it is believed
  static constexpr double kQuieter_lu = 20;  // than the sound around it: a rest

  void prepare(double rate) {  // Hz; forgets
    window_.prepare(rate);
    jump_to_unity();
  }
  // The sound begins anew: what was heard is forgotten, the gain stays.
  void forget() { window_.reset(); }
  // LUFS; empty: off.
  void set(std::optional<double> wanted) { wanted_ = wanted; }

  float process(float x) {
    if (window_.hear(x)) steer();
    if (left_ > 0) {
      --left_;
      gain_ = left_ > 0 ? gain_ + step_ : target_;
    }
    return gain_ == 1.0F ? x : x * gain_;
  }

  const LoudnessWindow& heard() const { return window_; }  // before the gain
  double gain_db() const { return gain_db_; }

 private:
  void steer() {
    double towards = gain_db_;
    double time_s = kTime_s;
    if (!wanted_) {
      towards = 0;
      time_s = kBack_s;
    } else if (window_.seconds() >= kLeast_s && std::isfinite(window_.lufs()) &&
               window_.momentary() > window_.lufs() - kQuieter_lu) {
      towards = std::clamp(*wanted_ - window_.lufs(), -kMost_db, kMost_db);
    }
    constexpr double block_s = 1.0 / LoudnessWindow::kBlocksPerSecond;
    gain_db_ += (towards - gain_db_) * (1 - std::exp(-block_s / time_s));
    if (!wanted_ && std::fabs(gain_db_) < 0.01) gain_db_ = 0;  // back to exactly 1
    target_ = gain_db_ == 0 ? 1.0F : static_cast<float>(std::pow(10.0, gain_db_ / 20));
    if (target_ == gain_ && left_ == 0) return;
    left_ = window_.block();
    step_ = (target_ - gain_) / static_cast<float>(left_);
  }
  void jump_to_unity() {
    gain_db_ = 0;
    gain_ = target_ = 1;
    left_ = 0;
  }

  LoudnessWindow window_;
  std::optional<double> wanted_;
  double gain_db_ = 0;
  float gain_ = 1, target_ = 1, step_ = 0;
  std::size_t left_ = 0;
};

}  // namespace mambo
