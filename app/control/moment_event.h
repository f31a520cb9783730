// Events of moments (model/moments.h): stored, recalled, mixed, gone back to, drawn aside. They
// travel as changes of controls do, and stand beside them in a performance.
#pragma once

#include <cstdint>
#include <optional>

#include "app/control/event.h"
#include "model/moment.h"

namespace mambo {

constexpr bool is_moment(ControlId id) { return id >= ControlId::slot && id <= ControlId::keep; }

// The event's position is kNow. Slots: 0 to kSlots - 1, as in Moments.
// store, unstore, clear, recall (also kBefore), fork (also kNoSlot: what plays now).
ControlEvent slot_event(ControlId id, int slot);
int slot_of(const ControlEvent& e);  // of those and of `slot`

ControlEvent morph_event(const Morph& morph);
Morph morph_of(const ControlEvent& e);

ControlEvent jump_event(std::uint64_t sample);
inline std::uint64_t sample_of(const ControlEvent& e) { return e.value.whole; }

// A continuation of the last fork.
struct Kept {
  static constexpr std::uint32_t kMostSamples = 1U << 25U;  // a minute at 384 kHz
  std::uint64_t rng_seed = 0;
  std::uint32_t samples = 0;  // as long as it was drawn
  bool at_end = false;        // what plays goes on behind it; else it is played from its beginning
  bool operator==(const Kept&) const = default;
};
ControlEvent keep_event(const Kept& kept);
Kept kept_of(const ControlEvent& e);

// `number`: in the log that of the content (Moments::number), in a performance its place in
// Performance::moments. source: start where it is from before, owner where it came from a file.
ControlEvent content_event(int slot, std::uint64_t number, Source source);

}  // namespace mambo
