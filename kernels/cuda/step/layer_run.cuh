// A layer and a tier as one CTA sees them during a launch, in its shared memory.
#pragma once

#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/step/tile.cuh"

namespace mambo::cuda {

// Pointers are moved so that a global index reaches this CTA's part.
template <class W>
struct LayerRun {
  const W *in_proj, *x_proj, *out_proj;
  const float *records, *out_bias;
  float *h, *conv;  // in shared memory: [channel tiles][streams][...]; else null
  std::uint32_t h_at, conv_at, tap_at, by_hand_at;
  Mixer mixer;
  int wp, dp, second, rp, xp, record_floats;
  float inv_width;
  // This CTA's channel tiles (8 channels each), rows of out_proj and of x_proj (tiles of 16).
  int tile_begin, tile_end, row_begin, row_end, dbc_begin, dbc_end;
  int x_tile, out_tile;  // split by columns, of x_proj and out_proj: elements from tile to tile
  int h_floats;          // per channel
};

struct TierRun : TierDev {
  float *pool_buffer, *skip;  // copies in shared memory, or null: in the state
  float inv_width;
};

// The launch's place in a tier. In shared memory: kept by the first thread, read when a tier begins
// its step.
struct Cursor {
  std::uint32_t phase;  // steps gathered in the present group
  std::uint32_t slot;   // step % K
  std::uint32_t row;    // steps of this launch
};

// [begin, end): the share of n that member `me` has.
__device__ inline void share(int n, int members, int me, int& begin, int& end) {
  begin = n * me / members;
  end = n * (me + 1) / members;
}

// Where an all-reduce puts partial sums: [kPairs][kRowsD] of x_proj, [kPairs][kRowsX] of out_proj;
// at fixed distances, so that their addresses are constants.
struct PartialSums {
  static constexpr int kPairs = 16, kRowsD = 64, kRowsX = 256;
};

// Of LayerStep::warp_sums, per warp: a tile's 16 rows and four lanes' shares of a sum of squares.
constexpr int kWarpSums = 20;

}  // namespace mambo::cuda
