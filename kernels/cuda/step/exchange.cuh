// How the CTAs that share out a step hand each other their results. Each holds whole vectors in its
// own shared memory; a producer puts its part into every CTA's copy, a consumer waits until a
// vector is complete. Three mechanisms, one interface (put_tile, put_rows, wait):
//   CtaExchange      one CTA: plain stores and a barrier.
//   ClusterExchange  CTAs of one cluster (exchange_cluster.cuh).
//   GridExchange     any CTAs that run at the same time (exchange_grid.cuh).
// What travels is a matter of its own (Split, step_traits.cuh): rows of results (an all-gather), or
// partial sums of all rows (an all-reduce).
//
// Hazard: a CTA that runs ahead overwrites a vector that a slower one still reads (WAR). Mechanism:
// every message has a barrier and a buffer of its own, and each CTA contributes to u and to y of
// every layer, so none can be more than one exchange ahead of another (planning gives every CTA
// channels of every layer). No barrier across CTAs is needed.
#pragma once

#include "kernels/cuda/step/device_math.cuh"
#include "kernels/cuda/step/launch.h"

namespace mambo::cuda {

// ---- A warp's results, gathered into 16-byte words
// v: of channel r = lane / 4 of the tile, the same in the row's four lanes. 16 bytes of halves, in
// every lane.
__device__ inline uint4 gather_halves(float v) {
  const float other = __shfl_xor_sync(0xFFFFFFFFU, v, 4);
  const std::uint32_t pair = pack_half2(v, other);  // right in lanes of even r
  return make_uint4(__shfl_sync(0xFFFFFFFFU, pair, 0), __shfl_sync(0xFFFFFFFFU, pair, 8),
                    __shfl_sync(0xFFFFFFFFU, pair, 16), __shfl_sync(0xFFFFFFFFU, pair, 24));
}
// lo, hi: of rows r and r + 8 of a tile. Floats 4 * chunk .. + 3 of its 16.
__device__ inline uint4 gather_rows(float lo, float hi, int chunk) {
  std::uint32_t w[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int from = ((chunk & 1) * 4 + i) * 4;
    const float a = __shfl_sync(0xFFFFFFFFU, lo, from);
    const float b = __shfl_sync(0xFFFFFFFFU, hi, from);
    w[i] = __float_as_uint((chunk & 2) != 0 ? b : a);
  }
  return make_uint4(w[0], w[1], w[2], w[3]);
}

// One CTA has everything. Also how a CTA of a group stores what it alone reads.
struct CtaExchange {
  static constexpr bool kShared = false;       // are there other CTAs?
  static constexpr int kAhead = 4;             // pairs of tiles that are prefetched before a wait
  static constexpr bool kSplitsTiles = false;  // in_proj by four warps per channel tile
  int members = 1, me = 0;
  template <class Act>
  __device__ void put_tile(Message, Act* to, int tile, float v) const {
    if (lane_id() % 4 == 0) store_act(to + tile * 8 + lane_id() / 4, v);
  }
  __device__ void put_rows(Message, float* to, int tile, float lo, float hi) const {
    if (lane_id() % 4 != 0) return;
    to[tile * 16 + lane_id() / 4] = lo;
    to[tile * 16 + 8 + lane_id() / 4] = hi;
  }
  __device__ void wait(Message, void*, std::uint32_t) { __syncthreads(); }
};

}  // namespace mambo::cuda
