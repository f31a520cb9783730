// The streaming state, in the one layout that every backend can read and write. All float32, in
// this order:
//   for each layer in data-flow order:  conv [K-1][d_inner]  inputs of the convolution, oldest
//   first
//                                       h    [parts][d_inner][states]  states of the mixer; of
//                                            complex ones all real parts, then all imaginary ones
//   for each tier s that pools:         group [pool][width]  tier s outputs gathered so far in the
//                                                            present group; rows not yet filled are
//                                                            0
//                                       up    [pool][width]  what up_pool gave for the present
//                                       group
//   logits [V]                          distribution of the next code
// position (samples absorbed) travels beside it. The zero state is all zeros, logits included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/network.h"

namespace mambo {

struct StateLayout {
  struct Layer {
    std::size_t conv, h;
    int d_inner, tier;
    int states;    // per channel
    int parts;     // floats of a state (MixerInfo::state_parts)
    bool selects;  // not time-invariant

    std::size_t h_size() const {  // floats
      return static_cast<std::size_t>(parts) * static_cast<std::size_t>(d_inner) *
             static_cast<std::size_t>(states);
    }
  };
  struct Pool {
    std::size_t group, up;
    int pool, width, stride;
  };
  std::vector<Layer> layers;
  std::vector<Pool> pools;
  std::size_t logits = 0;
  std::size_t size = 0;  // floats in all

  explicit StateLayout(const NetworkView& net);

  // Sets the rows of each open group that are still to come to 0: a backend leaves the rows of the
  // group before in them. state: [size], at `position`.
  void clear_open_groups(std::span<float> state, std::uint64_t position) const;
};

}  // namespace mambo
