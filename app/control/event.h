// A change of a control, as it travels: from a source's inbox to the generator thread, from there
// into the log, and from a performance file back into a rendering.
#pragma once

#include <cstdint>
#include <type_traits>

#include "app/control/control.h"
#include "app/control/target.h"

namespace mambo {

// Where it comes from. Each source that sends has an inbox of its own (app/control/inbox.h).
enum class Source : std::uint8_t {
  start,   // what held at the beginning of a run: a program change or Again
  owner,   // the window or the command line
  preset,  // a stored set of values
  engine,  // the program itself: an engine was lost, the guard acted
};
inline constexpr std::size_t kSources = 4;
const char* source_name(Source source);

inline constexpr std::uint64_t kNow = 0;

struct ControlEvent {
  // Samples drawn since the end of the clip, or since Again. From a source: not before this sample;
  // kNow, like any sample that was drawn already, is the next one. In a log: the first sample drawn
  // with it.
  std::uint64_t at = kNow;
  ControlValue value;
  std::uint32_t ramp = 0;  // samples over which the value is reached; voice and layer scope only
  std::int16_t target = kAllTargets;  // of layer and tier scope: app/control/target.h
  ControlId id = ControlId::temperature;
  Source source = Source::owner;

  bool operator==(const ControlEvent&) const = default;
};
static_assert(std::is_trivially_copyable_v<ControlEvent>);

}  // namespace mambo
