// The controls' values at one sample, and how they move: what a chunk is drawn with.
//
// A ramp is a function of the sample's index alone: from the event's sample s to s + ramp in a
// straight line, looked up at the multiples of kRampGrid and held between them. Position 0 is the
// end of the clip, so the values do not depend on how the work is cut into chunks or blocks of a
// sound card: that is what makes a performance repeatable bit for bit.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "app/control/event.h"

namespace mambo {

inline constexpr std::uint64_t kRampGrid = 32;  // samples
inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// One thread. No call allocates.
class Patch {
 public:
  Patch();  // the table's defaults

  // At event.at, which is not before the last position that advance() was called with. Values out
  // of range are clamped; triggers and what is no control change nothing.
  void apply(const ControlEvent& event);
  // To the values at this position. Positions may not go back.
  void advance(std::uint64_t position);
  // The first position after `position` where a value moves by itself; kNever: none does.
  std::uint64_t next_change(std::uint64_t position) const;
  // Values under way arrive at once: the run that they moved in is over.
  void settle();
  void set(ControlId id, const ControlValue& value);  // without a ramp
  void set(const SamplingParams& sampling);           // kSamplingControls, likewise

  const ControlValue& operator[](ControlId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  SamplingParams sampling() const;

 private:
  struct Ramp {
    double from = 0, to = 0;
    std::uint64_t start = 0;
    std::uint32_t length = 0;  // 0: none
  };
  std::array<ControlValue, kControls> values_;
  std::array<Ramp, kControls> ramps_;
  int moving_ = 0;  // ramps that have not arrived
};

}  // namespace mambo
