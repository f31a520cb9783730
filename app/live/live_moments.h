// Moments as they are played: takes events of moments, lets each take effect at the first sample
// where it can, logs it, and tells the session's owner what there is.
//
// What waits, and why: a store for the next sample where states can be mixed (model/moments.h), and
// any write to a slot for a reader that has it (a millisecond); a move until the one before has
// faded over; what is asked later waits behind it. A jump into the past is absorbed aside while the
// generator would sleep, so that the ring does not run dry, and takes effect when that is done.
// What there is nothing for (an empty slot) is dropped and counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "app/control/moment_event.h"
#include "app/live/live_controls.h"
#include "dsp/latest.h"
#include "model/moments.h"

namespace mambo {

// What the owner sees of it.
struct MomentsNow {
  struct Slot {
    std::uint64_t number = 0;  // of the content: changes with it; 0: empty
    MomentPicture picture;
  };
  std::array<Slot, kSlots> slots;
  bool can_return = false;       // recall of kBefore has where to go
  bool jumping = false;          // a jump is being absorbed
  std::uint64_t reach = 0;       // first sample since the run began that can be jumped to
  std::uint64_t generation = 0;  // of GeneratorThread: the run that this is of
  std::uint64_t moves = 0;       // that took effect
  std::uint64_t refused = 0;     // events that there was nothing for
};

class LiveMoments {
 public:
  explicit LiveMoments(LiveControls& controls) : controls_(controls) {}

  // ---- The generator thread, or the worker while that is parked ----
  void take(const ControlEvent& event);  // an event that is due
  // Lets take effect what can at this position.
  void settle(Moments& moments, std::uint64_t position);
  // The first position after this one where something may take effect.
  std::uint64_t next_boundary(const Moments& moments, std::uint64_t position) const;
  // A piece of a jump, of at most `most` codes. False: there is nothing to do.
  bool absorb(Moments& moments, std::size_t most);
  // A piece where the generator never sleeps, once per chunk: slow, but the jump arrives.
  void absorb_anyway(Moments& moments);
  // A run begins: what waits is dropped, what slots hold is logged.
  void begin_run(Moments& moments, std::uint64_t generation);
  // Another engine took over: what waits for the one before is dropped.
  void begin_engine(const Moments& moments);
  // Worker: a slot was filled from a file.
  void came_in(const Moments& moments, int slot, std::uint64_t position);

  std::uint64_t forks() const { return forks_.load(std::memory_order_acquire); }  // any thread

  // ---- The owner ----
  const MomentsNow& now() { return now_.read(); }

 private:
  enum class Done : std::uint8_t { yes, later, never };
  Done apply(Moments& moments, const ControlEvent& event, std::uint64_t position);
  void land(Moments& moments, std::uint64_t position);
  void publish(const Moments& moments, std::uint64_t position);
  ControlEvent& waiting(std::size_t i) { return waiting_[(first_ + i) % waiting_.size()]; }

  static constexpr std::size_t kWaiting = 64;
  LiveControls& controls_;
  std::array<ControlEvent, kWaiting> waiting_;
  std::size_t first_ = 0, count_ = 0;
  int chunks_ = 0;  // since the last piece of a jump
  MomentsNow facts_;
  std::uint64_t published_ = 0;  // position
  std::atomic<std::uint64_t> forks_{0};
  Latest<MomentsNow> now_;
};

}  // namespace mambo
