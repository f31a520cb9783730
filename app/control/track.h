// The controls along a run of samples: events that are still to come, in order, and the values that
// hold now. The generator thread and a rendering draw from it in the same way:
//
//   take up what is due at the present sample; draw up to next_boundary() with what holds.
#pragma once

#include <vector>

#include "app/control/patch.h"

namespace mambo {

// One thread. Allocates in the constructor alone.
class ControlTrack {
 public:
  // Of as many events to come at most.
  explicit ControlTrack(std::size_t capacity = 0) { events_.reserve(capacity); }

  // In order of `at`; of events at the same sample the one added first comes first. Cost: the
  // events that come after it. False: there is no room.
  bool add(const ControlEvent& event);
  // The next event, if it is due at this position or was before; else null.
  const ControlEvent* due(std::uint64_t position) const {
    return first_ < events_.size() && events_[first_].at <= position ? &events_[first_] : nullptr;
  }
  void pop() { ++first_; }
  void clear();  // of events; the values stay

  Patch& patch() { return patch_; }
  const Patch& patch() const { return patch_; }

  // Applies what is due, stamped with `position`, and brings ramps there. For tracks of values
  // alone: triggers do nothing.
  void take_up(std::uint64_t position);
  // The first position after `position` where something may change; kNever: nothing will.
  std::uint64_t next_boundary(std::uint64_t position) const;

 private:
  std::vector<ControlEvent> events_;
  std::size_t first_ = 0;
  Patch patch_;
};

}  // namespace mambo
