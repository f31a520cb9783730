// What one stretch of sound shows of itself: samples, likelihoods, a summary of every layer's delta
// and all of one layer's. Written by the generator thread, or by prefill for the end of a clip;
// read by the thread that owns the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "dsp/ring_buffer.h"
#include "kernels/engine.h"

namespace mambo {

// Position 0 is the first sample of the clip (of the generated sound when there is none); generated
// samples follow the clip's.
struct Observation {
  std::uint64_t generation = 0;  // changes when the history starts anew (Again, new model or clip)
  std::uint64_t first = 0;       // position of the first sample
  bool from_clip = false;        // absorbed by prefill, not drawn
  std::vector<std::uint8_t> codes;
  std::vector<float> log_prob, entropy;  // per sample, nats (empty for a clip)
  std::vector<LayerSummary> layers;      // per layer, as played
  std::vector<LayerSummary>
      said;            // as the network says where it is played by hand; of a clip empty
  int tap_layer = -1;  // the layer below, or -1
  std::uint64_t tap_first_step = 0;  // step of its tier (step k covers samples k*stride..)
  int tap_steps = 0;
  int tap_channels = 0;          // d_inner of that layer
  std::vector<float> tap_delta;  // [tap_steps][tap_channels]; what is behind them is spare room

  std::span<const float> tap_rows() const {
    return std::span(tap_delta).first(static_cast<std::size_t>(tap_steps) *
                                      static_cast<std::size_t>(tap_channels));
  }
};

// For set_tap_layer: favourite_layer() of the program, whichever it is.
inline constexpr int kFavouriteLayer = std::numeric_limits<int>::max();

// Slots made once and filled in place by the generator thread, emptied by the reader.
using ObservationQueue = SlotQueue<Observation>;

// Both histories of a program: the end of its clip, in order, then what is generated.
struct ObservationSource {
  // The reader's alone once the program plays: it stamps the generation.
  std::shared_ptr<std::vector<Observation>> clip;
  std::shared_ptr<ObservationQueue> queue;
};

}  // namespace mambo
