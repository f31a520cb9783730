// What prefill allocates for the chunks of one call.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "kernels/cpu/network.h"

namespace mambo::cpu {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

// Rows whose intermediate values, about 5 d_inner floats each, stay in a second-level cache.
inline int tile_rows(const Layer& l) {
  constexpr int kBudget = 600'000;  // bytes
  return std::clamp(kBudget / (4 * (4 * l.dp + l.projected() + l.wp)) / 16 * 16, 16, 512);
}

// How far along the tiles of a chunk a layer has come. A tile's conv waits for the tile before to
// have left its last inputs in the state, and its scan follows the scan of the tile before, channel
// block by channel block: so threads run a little behind one another through time, and each keeps
// what its tile computes in its own cache.
struct Progress {
  std::atomic<int> conv{0};                     // tiles whose last inputs are in the state
  std::atomic<int> summed{0};                   // tiles in the sums of delta, B and C
  std::unique_ptr<std::atomic<int>[]> scanned;  // [dp/16]: tiles that are through the block's scan

  void allocate(const Layer& l) {
    scanned = std::make_unique<std::atomic<int>[]>(size(l.dp / kBlock));
  }
};

// The steps of one tier that fall into the chunk.
struct TierWork {
  std::uint64_t first = 0;  // index of the first step
  int steps = 0;
  int tile = 0;                // rows that a thread takes at a time
  AlignedBuffer<float> x;      // [steps][wp]: the residual stream
  AlignedBuffer<float> up;     // [groups finished in the chunk][pool * wp]
  AlignedBuffer<float> group;  // [pool * wp]: the first group, begun before the chunk

  void allocate(const Tier& t, int chunk) {  // chunk: samples
    const std::size_t most = size(chunk / t.stride + 1);
    x = AlignedBuffer<float>(most * size(t.wp));
    if (t.pool == 0) return;
    up = AlignedBuffer<float>((most / size(t.pool) + 1) * size(t.pool * t.wp));
    group = AlignedBuffer<float>(size(t.pool * t.wp));
  }
};

// What a tile computes on its way through a layer; one per thread, sized to stay in its cache.
struct Scratch {
  AlignedBuffer<float> xn, uz, u, projected, delta;

  explicit Scratch(const Network& net) {
    std::size_t widest = 0;
    std::size_t history_and_tile = 0;
    std::size_t inner = 0;
    std::size_t columns = 0;
    for (const Layer& l : net.layers) {
      const std::size_t tile = size(tile_rows(l));
      widest = std::max(widest, tile * size(l.wp));
      history_and_tile = std::max(history_and_tile, (tile + size(net.K)) * size(2 * l.dp));
      inner = std::max(inner, tile * size(l.dp));
      columns = std::max(columns, tile * size(l.projected()));
    }
    xn = AlignedBuffer<float>(widest);
    uz = AlignedBuffer<float>(history_and_tile);
    u = AlignedBuffer<float>(inner);
    delta = AlignedBuffer<float>(inner);
    projected = AlignedBuffer<float>(columns);
  }
};

}  // namespace mambo::cpu
