// Whether more latency would help: looks at the underruns as they come and says how much to have
// instead. Whoever owns the session asks it, and offers what it says or does it.
#pragma once

#include <deque>
#include <optional>

#include "app/live/session_status.h"

namespace mambo {

class LatencyKeeper {
 public:
  // Underruns within kWindow_s that are more than a chance.
  static constexpr int kMany = 2;
  static constexpr double kWindow_s = 10;
  // A change reopens the device; what happens meanwhile says nothing about the new latency.
  static constexpr double kSettle_s = 3;

  // To be called some times per second. now_s: of a steady clock; latency_ms: as it is set. Counts
  // only while sound plays and nothing is loaded or absorbed, which takes all cores for a while,
  // and only where samples are drawn faster than they are played: more latency makes no speed.
  void look(double now_s, const SessionStatus& status, double latency_ms);
  // How many there were within kWindow_s.
  int underruns() const { return static_cast<int>(when_.size()); }
  // ms, within the control's range; empty: no reason to, or no room.
  std::optional<double> advice() const;

 private:
  std::deque<double> when_;
  std::uint64_t seen_ = 0;
  double latency_ms_ = 0;
  double from_s_ = 0;
  bool started_ = false;
};

}  // namespace mambo
