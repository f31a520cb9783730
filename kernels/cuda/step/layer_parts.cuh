// What LayerStep works with: its functions of one number, its view of a layer and of a tier.
#pragma once

#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/step/tile.cuh"

namespace mambo::cuda {

// The special functions flush what is too small to matter; none has a slow path.
__device__ inline float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float inverse_root(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float log2_fast(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float silu(float x) { return x * reciprocal(1.0F + exp2_fast(x * -1.44269504F)); }

// ln(1 + e^x), to a relative 1e-6 also where e^x is small (delta of a slow channel is 1e-3).
__device__ inline float softplus(float x) {
  const float e = exp2_fast(x * 1.44269504F);
  const float series = e * (1.0F - e * (0.5F - e * (0.33333333F - e * (0.25F - e * 0.2F))));
  const float direct = log2_fast(1.0F + e) * 0.69314718F;
  return x > 15.0F ? x : (e < 0.06F ? series : direct);
}

// A layer as this CTA sees it. Pointers are moved so that a global index reaches this CTA's part.
template <class W>
struct LayerRun {
  const W *in_proj, *x_proj, *out_proj;
  const float *unit, *out_bias;
  float *h, *conv;  // resident: [units][NS][...], else null
  std::uint32_t h_at, conv_at, tap_at;
  int tier, wp, dp, r4, rp, xp, unit_floats;
  float inv_width;
  int unit_begin, unit_end, row_begin, row_end, dbc_begin, dbc_end;
  int x_tile, out_tile;  // of a team's x_proj and out_proj: elements from tile to tile
  int hp;                // floats of h a channel
};

template <class W>
struct TierRun {
  const W *down_pool, *up_pool;
  const float *down_bias, *up_bias;
  float *group, *up;  // shared copies, or null: in the state
  std::uint32_t group_at, up_at;
  float inv_width;
  int wp, pool, down_begin, down_end, up_begin, up_end;
};

__device__ inline void share(int n, int members, int me, int& begin, int& end) {
  begin = n * me / members;
  end = n * (me + 1) / members;
}

// A team's parts of sums: [kPairs][kRowsD] of x_proj, [kPairs][kRowsX] of out_proj.
struct TeamParts {
  static constexpr int kPairs = 16, kRowsD = 64, kRowsX = 256;
};

// Of LayerStep::part, a warp: a tile's 16 rows and four lanes' parts of a sum of squares.
constexpr int kPart = 20;

// What a team's warps have asked for long before they need it: most of it comes from the L2. Of a
// flat model also the next layer's in_proj.
template <class W, bool kTeam, bool kFlat>
struct TeamAhead {};
template <class W>
struct TeamAhead<W, true, false> {
  uint4 x_ahead[2], out_ahead[4];
  float bias_ahead = 0.0F;
};
template <class W>
struct TeamAhead<W, true, true> : TeamAhead<W, true, false> {
  Ahead<W, 8> in_ahead;
};

}  // namespace mambo::cuda
