// What an engine shows of delta while it generates or absorbs: summaries of every layer, all steps
// of chosen ones.
#pragma once

#include <cstdint>
#include <span>

namespace mambo {

class SelectionSums;  // kernels/selectivity.h

// Delta of one layer over some steps and all channels. steps == 0: nothing, and the rest is 0.
struct LayerSummary {
  float mean = 0, min = 0, max = 0;
  int steps = 0;

  // Also over the steps of `part`; the mean is weighted by steps.
  constexpr void add(const LayerSummary& part) {
    if (part.steps == 0) return;
    min = steps == 0 || part.min < min ? part.min : min;
    max = steps == 0 || part.max > max ? part.max : max;
    steps += part.steps;
    mean += (part.mean - mean) * static_cast<float>(part.steps) / static_cast<float>(steps);
  }
};

// Which steps of a tier fall into a block of samples: a step belongs to the sample that completes
// it.
struct SummaryBlocks {
  std::uint64_t samples = 1;  // per block
  std::uint64_t stride = 1;   // samples per step

  constexpr std::uint64_t block_of(std::uint64_t step) const {
    return ((step + 1) * stride - 1) / samples;
  }
  // Steps [begin(block), begin(block + 1)).
  constexpr std::uint64_t begin(std::uint64_t block) const { return block * samples / stride; }
};

// Delta as generation goes by, filled by generate() if given. All memory is the caller's. Of a
// time-invariant layer it is the constant of each channel.
struct DeltaTap {
  std::span<LayerSummary> layers;  // one per layer, data-flow order; empty: no summaries
  // Of what the network says, where `layers` is of what is played by hand; empty: not wanted.
  std::span<LayerSummary> said;
  int layer = -1;                // the layer recorded at full rate, or -1
  std::span<float> delta;        // [max_steps][d_inner] of that layer, n/stride + 1 rows or more
  int steps = 0;                 // out: rows filled
  std::uint64_t first_step = 0;  // out: index of the first row in steps of the layer's tier
};

// Receives what prefill computes, a stretch of steps at a time, in order, on the calling thread.
class PrefillSink {
 public:
  virtual ~PrefillSink() = default;
  // samples absorbed so far in this call; false cancels: prefill throws Cancelled, the state is
  // then that of the zero stream.
  virtual bool progress(std::uint64_t /*samples*/) { return true; }
  virtual bool wants_logits() const { return false; }
  virtual bool wants_layer(int /*layer*/) const { return false; }
  // The first step of the layer's tier that layer() receives: what comes before is not copied.
  virtual std::uint64_t layer_from(int /*layer*/) const { return 0; }
  // For views of a long clip as a whole: of every layer a summary per block of so many samples,
  // counted from position 0 of the stream (SummaryBlocks); 0: none.
  virtual int samples_per_summary() const { return 0; }
  // To be added to: what the network says of delta, B and C, before a Selectivity. Null: not
  // wanted.
  virtual SelectionSums* selection_sums() { return nullptr; }
  // row r: after the sample first + r of this call. [rows][V]
  virtual void logits(std::uint64_t /*first*/, int /*rows*/, const float* /*logits*/) {}
  // step r of the layer's tier, counted from position 0 of the stream: first + r.
  // delta [rows][d_inner], B [rows][N], C [rows][N]; of a time-invariant layer delta repeats its
  // constant and B and C are null.
  virtual void layer(int /*layer*/, std::uint64_t /*first*/, int /*rows*/, const float* /*delta*/,
                     const float* /*B*/, const float* /*C*/) {}
  // Blocks first, first + 1, ... A block on the border of two stretches comes twice, each time with
  // the steps that the stretch has of it; one without steps has steps == 0.
  virtual void summaries(int /*layer*/, std::uint64_t /*first*/,
                         std::span<const LayerSummary> /*parts*/) {}
};

}  // namespace mambo
