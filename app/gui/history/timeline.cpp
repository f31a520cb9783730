#include "app/gui/history/timeline.h"

#include <algorithm>
#include <cmath>

namespace mambo::gui {
namespace {

constexpr double live_margin = 0.04;  // of the width stays free right of what is heard

std::uint64_t whole(double position) {
  return position <= 0 ? 0 : static_cast<std::uint64_t>(position);
}

}  // namespace

TimeView::Span TimeView::samples_of(std::int64_t column) const {
  const double from = static_cast<double>(column) * samples_per_px;
  const std::uint64_t first = whole(std::floor(from + 1e-9));
  const std::uint64_t last = whole(std::floor(from + samples_per_px + 1e-9));
  if (from + samples_per_px <= 0) return {0, 0};
  return {first, std::max(last, first + 1)};
}

void Timeline::set_rate(int rate) {
  if (rate <= 0 || rate == rate_) return;
  span_ *= static_cast<double>(rate) / rate_;
  rate_ = rate;
  follow_ = true;
  clamp();
}

double Timeline::right() const { return follow_ ? live_ + live_margin * span_ : right_; }

void Timeline::follow() { follow_ = true; }

void Timeline::pan(double px) {
  right_ = right() - px * span_ / columns_;
  follow_ = false;
  clamp();
}

void Timeline::zoom(double factor, double anchor_px) {
  if (!(factor > 0)) return;
  const double share = std::clamp(anchor_px / columns_, 0.0, 1.0);
  const double anchor = right() - (1 - share) * span_;
  span_ /= factor;
  clamp();
  if (!follow_) right_ = anchor + (1 - share) * span_;
  clamp();
}

void Timeline::show(double span) {
  span_ = span;
  clamp();
}

void Timeline::clamp() {
  span_ = std::clamp(span_, min_span, max_span_s * rate_);
  right_ = std::clamp(right_, 0.1 * span_, live_ + 0.9 * span_);
}

TimeView Timeline::view() const {
  TimeView v;
  v.samples_per_px = span_ / columns_;
  v.columns = columns_;
  v.first_column = std::llround((right() - span_) / v.samples_per_px);
  return v;
}

double Playhead::advance(double target, bool playing, double rate, double seconds) {
  if (playing) position_ += rate * std::clamp(seconds, 0.0, 0.5);
  const double error = target - position_;
  if (!playing || std::fabs(error) > 0.25 * rate) {
    position_ = target;
  } else {
    position_ += error * std::min(1.0, 3.0 * seconds);
  }
  return position_;
}

}  // namespace mambo::gui
