// What the owner of a session sees of its moments: slots, the past, continuations. A copy.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/moment.h"

namespace mambo {

struct MomentStatus {
  struct Slot {
    bool filled = false;
    std::uint64_t number = 0;  // changes with what it holds
    std::string name;          // mostly empty
    MomentPicture picture;
  };
  std::array<Slot, kSlots> slots;
  bool can_return = false;    // recall(kBefore) has where to go
  bool jumping = false;       // a jump is on its way: some tenths of a second
  std::uint64_t reach = 0;    // first sample since the clip's end (or Again) that can be jumped to
  std::uint64_t moves = 0;    // that took effect
  std::uint64_t refused = 0;  // asked for and impossible: an empty slot

  // Continuations, the likeliest first.
  struct Continuation {
    std::uint64_t rng_seed = 0;
    double log_prob = 0;    // mean of ln p per sample, under the model
    double level_dbfs = 0;  // RMS
    MomentPicture picture;  // all of it
  };
  enum class Fork : std::uint8_t { none, drawing, ready };
  Fork fork = Fork::none;
  float fork_progress = 0;  // 0..1
  double fork_seconds = 0;  // of each continuation
  std::vector<Continuation> continuations;
};

}  // namespace mambo
