// Hands a chunk's results to the sink: packs them on the device, copies them to pinned memory,
// waits, and calls the sink on this thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/prefill/chunk_memory.h"
#include "kernels/cuda/prefill/mixer_rows.h"
#include "kernels/cuda/prefill/prefill_kernels.h"
#include "kernels/cuda/prefill/workspace.h"

namespace mambo::cuda {

template <class T>
class SinkRows {
 public:
  SinkRows(const PrefillWeights& w, const SinkDemand& demand, const ChunkMemory<T>& chunk,
           const PrefillWorkspace& space, PrefillSink* sink)
      : w_(w),
        demand_(demand),
        chunk_(chunk),
        space_(space),
        sink_(sink),
        stream_(space.stream.get()) {}

  // Once the layer's delta, and its B and C, stand in the chunk's memory.
  void layer(std::size_t index, int states, const StepBC& bc) const {
    const PrefillLayer& l = w_.layers[index];
    const TierRows& t = chunk_.tiers[size(l.tier)];
    if (demand_.block > 0)
      summarise_rows(chunk_.delta, l.dp, l.d_inner, t.first, t.steps, blocks_of(index),
                     chunk_.summaries + index * chunk_.blocks, stream_);
    if (demand_.layer[index]) rows(index, states, bc);
  }

  // Of all layers together, once per chunk: many small copies would cost more than what they carry.
  void summaries() const {
    const auto* device = reinterpret_cast<const float*>(chunk_.summaries);
    const std::size_t n = chunk_.blocks * w_.layers.size();
    const auto* host = reinterpret_cast<const LayerSummary*>(
        space_.to_host(device, n * sizeof(LayerSummary) / sizeof(float)));
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      const TierRows& t = chunk_.tiers[size(w_.layers[i].tier)];
      if (t.steps == 0) continue;
      const SummaryBlocks blocks = blocks_of(i);
      const std::uint64_t first = blocks.block_of(t.first);
      const std::uint64_t last = blocks.block_of(t.first + static_cast<std::uint64_t>(t.steps) - 1);
      sink_->summaries(static_cast<int>(i), first, {host + i * chunk_.blocks, last - first + 1});
    }
  }

  // first: sample of the call.
  void logits(std::size_t first) const {
    const int n = chunk_.tiers[0].steps;
    pack_rows(chunk_.logits, w_.vp, w_.vocab, n, chunk_.out, stream_);
    sink_->logits(first, n, space_.to_host(chunk_.out, size(n) * size(w_.vocab)));
  }

 private:
  static std::size_t size(int n) { return static_cast<std::size_t>(n); }

  SummaryBlocks blocks_of(std::size_t layer) const {
    return {demand_.block,
            static_cast<std::uint64_t>(w_.tiers[size(w_.layers[layer].tier)].stride)};
  }

  // Delta of each step, and B and C where there are any, padding left out.
  void rows(std::size_t index, int states, const StepBC& bc) const {
    const PrefillLayer& l = w_.layers[index];
    const TierRows& t = chunk_.tiers[size(l.tier)];
    const std::uint64_t from = demand_.from[index];
    const std::uint64_t skip = from > t.first ? from - t.first : 0;
    if (skip >= static_cast<std::uint64_t>(t.steps)) return;
    const int n = t.steps - static_cast<int>(skip);
    const std::size_t deltas = size(n) * size(l.d_inner);
    const std::size_t each = size(n) * size(states);
    float* out = chunk_.out;
    pack_rows(chunk_.delta + skip * size(l.dp), l.dp, l.d_inner, n, out, stream_);
    if (states > 0) {
      pack_rows(bc.B + skip * size(bc.row), bc.row, states, n, out + deltas, stream_);
      pack_rows(bc.C + skip * size(bc.row), bc.row, states, n, out + deltas + each, stream_);
    }
    const float* host = space_.to_host(out, deltas + 2 * each);
    sink_->layer(static_cast<int>(index), t.first + skip, n, host,
                 states > 0 ? host + deltas : nullptr, states > 0 ? host + deltas + each : nullptr);
  }

  const PrefillWeights& w_;
  const SinkDemand& demand_;
  const ChunkMemory<T>& chunk_;
  const PrefillWorkspace& space_;
  PrefillSink* sink_;
  cudaStream_t stream_;
};

}  // namespace mambo::cuda
