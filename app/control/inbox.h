// Where a source leaves its events for the generator thread: one writing thread per inbox, the
// generator thread reads. Wait-free on both sides; no allocation after construction.
#pragma once

#include <span>

#include "app/control/event.h"
#include "dsp/ring_buffer.h"

namespace mambo {

class Inbox {
 public:
  // A minute of a slider's motion: nothing is read while a first model loads.
  static constexpr std::size_t kCapacity = 4096;

  // Writing thread. All of them or none, and the reader never sees a part of them; false: there is
  // no room.
  bool push(std::span<const ControlEvent> events) {
    return ring_.room(events.size()) >= events.size() && ring_.write(events) == events.size();
  }

  // Reading thread: the oldest event, or null; the same one until pop(), so that an event that
  // could not take effect is not lost.
  const ControlEvent* front() {
    if (!held_) held_ = ring_.read({&event_, 1}) == 1;
    return held_ ? &event_ : nullptr;
  }
  void pop() { held_ = false; }

 private:
  RingBuffer<ControlEvent> ring_{kCapacity};
  ControlEvent event_;
  bool held_ = false;
};

}  // namespace mambo
