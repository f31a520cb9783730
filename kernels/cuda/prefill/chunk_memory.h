// The scratch of a chunk: one piece of memory, dealt out to the vectors of all layers and tiers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "kernels/cuda/prefill/prefill_weights.h"
#include "kernels/observe.h"

namespace mambo::cuda {

// What a sink wants of a call; without a sink, nothing.
struct SinkDemand {
  bool logits = false;
  bool layers = false;              // any
  std::vector<bool> layer;          // [layers]
  std::vector<std::uint64_t> from;  // [layers]: the first step that it gets
  std::uint64_t block = 0;          // samples per summary; 0: none

  SinkDemand(const PrefillSink* sink, std::size_t n) : layer(n, false), from(n, 0) {
    if (sink == nullptr) return;
    logits = sink->wants_logits();
    block = static_cast<std::uint64_t>(std::max(sink->samples_per_summary(), 0));
    for (std::size_t i = 0; i < n; ++i) {
      layer[i] = sink->wants_layer(static_cast<int>(i));
      from[i] = sink->layer_from(static_cast<int>(i));
      layers = layers || layer[i];
    }
  }
  // Whether the layer's delta is wanted in rows.
  bool delta(std::size_t i) const { return layer[i] || block > 0; }
};

// The steps of one tier that fall into a chunk.
struct TierRows {
  std::uint64_t first = 0;  // index of the first step
  int steps = 0;
  float* x = nullptr;   // [steps][wp]: the residual stream. In front of it is room for the rows of
                        // a group begun earlier, so that groups are contiguous
  float* up = nullptr;  // [1 + groups][pool * wp]: what the tier inside gave; the state's first
};

// T: the storage of activations, float or __half.
template <class T>
struct ChunkMemory {
  std::uint8_t* codes = nullptr;  // [code_capacity]: of many chunks
  T* xn = nullptr;                // [steps][wp]
  T* uz = nullptr;                // [steps][2 dp]
  T* u = nullptr;                 // [steps][dp]
  float* delta = nullptr;         // [steps][dp]
  float* dbc = nullptr;           // [steps][rows of x_proj]
  float* scan = nullptr;
  float* logits = nullptr;            // [steps][vp]
  float* out = nullptr;               // packed for the sink
  LayerSummary* summaries = nullptr;  // [layers][blocks]
  std::vector<TierRows> tiers;
  std::size_t code_capacity = 0;
  std::size_t blocks = 0;       // of a layer in a chunk, at most
  std::size_t host_floats = 0;  // on their way to the sink at once, at most

  // Sets all of the above for chunks of so many samples, from `base` on; with null only sizes.
  // Returns the bytes that it takes.
  std::size_t lay_out(const PrefillWeights& w, const SinkDemand& demand, int chunk, int sms,
                      std::byte* base);

 private:
  static std::size_t size(int n) { return static_cast<std::size_t>(n); }

  class Carver {
   public:
    explicit Carver(std::byte* base) : base_(base) {}
    template <class V>
    V* take(std::size_t n) {
      const std::size_t at = used_;
      used_ += (n * sizeof(V) + 255) / 256 * 256;
      return base_ == nullptr ? nullptr : reinterpret_cast<V*>(base_ + at);
    }
    std::size_t used() const { return used_; }

   private:
    std::byte* base_;
    std::size_t used_ = 0;
  };
};

template <class T>
std::size_t ChunkMemory<T>::lay_out(const PrefillWeights& w, const SinkDemand& demand, int chunk,
                                    int sms, std::byte* base) {
  Carver memory(base);
  tiers.resize(w.tiers.size());
  codes = memory.template take<std::uint8_t>(code_capacity);
  const auto steps = [&](std::size_t s) { return size(chunk / w.tiers[s].stride + 1); };
  std::size_t norm = 0;
  std::size_t inner = 0;
  std::size_t deltas = 0;
  std::size_t dbcs = 0;
  std::size_t scratch = 0;
  std::size_t told = demand.logits ? steps(0) * size(w.vocab) : 0;
  for (std::size_t s = 0; s < tiers.size(); ++s) {
    const PrefillTier& t = w.tiers[s];
    const std::size_t before = size(std::max(t.pool - 1, 0));
    float* x = memory.template take<float>((before + steps(s)) * size(t.wp));
    tiers[s].x = x == nullptr ? nullptr : x + before * size(t.wp);
    norm = std::max(norm, (before + steps(s)) * size(t.wp));
    if (t.pool > 0)
      tiers[s].up = memory.template take<float>((1 + steps(s + 1)) * size(t.pool * t.wp));
  }
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    const PrefillLayer& l = w.layers[i];
    const std::size_t n = steps(size(l.tier));
    inner = std::max(inner, n * size(l.dp));
    std::visit(
        [&](const auto& mixer) {
          if (mixer.kScanReadsDelta || demand.delta(i)) deltas = std::max(deltas, n * size(l.dp));
          dbcs = std::max(dbcs, n * size(mixer.dbc_columns()));
          scratch = std::max(scratch, mixer.scratch_floats(l.dp, sms));
          if (demand.layer[i])
            told = std::max(told, n * size(l.d_inner + 2 * mixer.shown_states()));
        },
        l.mixer);
  }
  xn = memory.template take<T>(norm);
  uz = memory.template take<T>(2 * inner);
  u = memory.template take<T>(inner);
  delta = memory.template take<float>(deltas);
  dbc = memory.template take<float>(dbcs);
  scan = memory.template take<float>(scratch);
  if (demand.logits) logits = memory.template take<float>(steps(0) * size(w.vp));
  if (told > 0) out = memory.template take<float>(told);
  host_floats = told;
  if (demand.block > 0) {
    blocks = size(chunk) / demand.block + 2;
    summaries = memory.template take<LayerSummary>(blocks * w.layers.size());
    host_floats =
        std::max(host_floats, blocks * w.layers.size() * sizeof(LayerSummary) / sizeof(float));
  }
  return memory.used();
}

}  // namespace mambo::cuda
