// The time axis that all panels share: which samples are seen, and where. Positions are samples
// from the start of the clip, as doubles (exact up to 2^53). GUI thread only.
#pragma once

#include <cstdint>

namespace mambo::gui {

// One frame's mapping of positions to pixels. Pixels stand on an absolute grid (pixel column c
// shows [c, c + 1) * samples_per_px), so that scrolling moves by whole pixels and does not flicker.
struct TimeView {
  double samples_per_px = 1;
  std::int64_t first_column = 0;
  int columns = 1;

  double begin() const { return static_cast<double>(first_column) * samples_per_px; }
  double end() const { return static_cast<double>(first_column + columns) * samples_per_px; }
  double position(double px) const { return begin() + px * samples_per_px; }
  double px(double position) const { return (position - begin()) / samples_per_px; }
  // Whole samples of a column, never empty: [from, to).
  struct Span {
    std::uint64_t from, to;
  };
  Span samples_of(std::int64_t column) const;
};

class Timeline {
 public:
  static constexpr double min_span = 24;  // samples
  static constexpr double max_span_s = 60;

  void set_rate(int rate);  // Hz; keeps the seconds seen
  void resize(int columns) { columns_ = columns > 1 ? columns : 1; }
  // The sample that is heard now; what follows sees it near the right edge.
  void set_live(double position) { live_ = position; }

  bool following() const { return follow_; }
  void follow();                               // back to live
  void pan(double px);                         // > 0: towards the past
  void zoom(double factor, double anchor_px);  // factor > 1: closer
  void show(double span);                      // samples over the whole width
  double span() const { return span_; }
  double live() const { return live_; }
  int rate() const { return rate_; }

  TimeView view() const;

 private:
  double right() const;
  void clamp();

  int rate_ = 16000;
  int columns_ = 1000;
  double span_ = 16000.0 * 10;
  double right_ = 0;  // when not following
  double live_ = 0;
  bool follow_ = true;
};

// The position that is heard now, interpolated to the display's rate between the session's reports.
class Playhead {
 public:
  // target: what the session says; seconds since the last call; returns the estimate.
  double advance(double target, bool playing, double rate, double seconds);
  double position() const { return position_; }

 private:
  double position_ = 0;
};

}  // namespace mambo::gui
