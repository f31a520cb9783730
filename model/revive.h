// A voice once more on another engine of the same network, as far as what was heard can tell: when
// a GPU is lost under it, and when such a take is rendered again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/voice.h"

namespace mambo {

// How much is kept of what was heard: of the clip, and of what was drawn since its end (16 s at 16
// kHz). Part of what a performance's samples depend on after an engine was lost.
inline constexpr double kClipHistorySeconds = 60;
inline constexpr std::size_t kCodesKept = 1U << 18U;

struct Heard {
  std::span<const std::uint8_t> clip_tail;  // the clip's end, at most kClipHistorySeconds
  std::uint64_t clip_samples = 0;           // in all
  std::span<const std::uint8_t> drawn;      // the last codes drawn, at most kCodesKept
  std::uint64_t drawn_in_all = 0;           // since the clip's end
};

// From the zero state of `voice`: absorbs what was heard and stands where the lost voice stood.
// Returns the state at the end of the clip, for Again. Where not all that was drawn is there, it
// goes by that alone: it is more recent than the clip. Not real-time. The random stream is the
// caller's to set.
Snapshot revive(Voice& voice, const NetworkView& net, const Heard& heard,
                PrefillSink* of_clip = nullptr, PrefillSink* of_drawn = nullptr);

}  // namespace mambo
