// A cluster's CTAs as a team: of x_proj and out_proj each works out the columns of its own
// channels, for all rows, and gives everyone the parts; everyone adds them up. So u and y never
// travel, a layer has two exchanges instead of three or four, a CTA reads its own columns of the
// weights and no others, and x is whole everywhere without being sent.
//
// A part is that of a pair of tiles (32 columns, the channels of four units), worked out by itself:
// parts add up in the order of tile_partial, so that a team draws what every other plan draws.
//
// Nobody overwrites parts that another still reads: who sends parts of x_proj (or calls, in a
// time-invariant layer: worker_modes.cuh) has added up those of the out_proj before, which each CTA
// sends after a barrier behind the last read of the former; and the other way round.
#pragma once

#include "kernels/cuda/step/layer_step.cuh"

namespace mambo::cuda {

// A row's sum; kRows: from part to part.
template <int kRows>
__device__ inline float sum_of_parts(const float* parts, int pairs) {
  float s[4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (half == 1 && pairs <= 8) break;
    float p[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) p[j] = parts[(half * 8 + j) * kRows];
#pragma unroll
    for (int j = 0; j < 8; ++j) s[j % 4] += p[j];
  }
  return sum_up(s);
}
// In parts, rows r and r + 8 of 16 stand one behind the other: which row stands at `i`.
__device__ inline int row_of_part(int i) { return (i & ~15) | (i & 1) << 3 | (i >> 1 & 7); }

// The first tile of a warp that has at most kMost. Where that is one, x_proj's four at most, it is
// the other half of the warps that has them: units are the first warps', and while x_proj is
// multiplied these ask for what they need in the scan (SC09's size: 21.7 -> 21.1 us).
template <int kMost>
__device__ inline int first_tile_of_warp() {
  static_assert(TeamParts::kRowsD <= 16 * kSharedWarps / 2);
  return kMost == 1 ? warp_id() ^ kSharedWarps / 2 : warp_id();
}

// A warp's tiles of this CTA's first pair of columns. matrix: its own pairs alone, tile_size
// elements from tile to tile.
template <class W, int NS, class Comm>
template <int kMost>
__device__ void LayerStep<W, NS, Comm>::fetch_parts(const W* matrix, int tile_size, int tiles,
                                                    uint4 (&a)[2 * kMost]) {
  const int mine = first_tile_of_warp<kMost>();
  const uint4* w = reinterpret_cast<const uint4*>(matrix + mine * tile_size) + lane_id();
  const int next = tile_size * kWarps / 8;
#pragma unroll
  for (int i = 0; i < kMost; ++i) {
    const bool real = mine + i * kWarps < tiles;
    a[2 * i] = real ? w[i * next] : uint4{};
    a[2 * i + 1] = real ? w[i * next + 32] : uint4{};
  }
}

// This CTA's parts of matrix x vector to everyone; a warp has at most kMost tiles, `a` what it has
// fetched. Begins with a barrier: what this CTA has made of the vector is whole.
template <class W, int NS, class Comm>
template <Kind kKind, int kMost, int kRows>
__device__ void LayerStep<W, NS, Comm>::put_parts(const LayerRun<W>& l, const W* matrix,
                                                  int tile_size, int tiles, uint4 (&a)[2 * kMost],
                                                  const W* vector, float* to) {
  const int own = (l.unit_end - l.unit_begin) / 4;
  const int first = l.unit_begin / 4;
  float none = 0.0F;
  const int mine = first_tile_of_warp<kMost>();
  const float* place = to + first * kRows + mine * 16;
  __syncthreads();
#pragma unroll 1
  for (int pair = 0;;) {
    const uint4 b = HalfVector{vector}.pair(first + pair, none);
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      if (mine + i * kWarps < tiles) {
        float c[4] = {};
        add_pair<true>(c, a[2 * i], a[2 * i + 1], b);
        comm.put_two(kKind, place + i * kWarps * 16, c[0], c[2]);
      }
    }
    if (++pair == own) break;
    place += kRows;
    fetch_parts<kMost>(matrix + pair * 512, tile_size, tiles, a);
  }
}

// Units of this CTA: at most a warp each; vectors of 128 or 256.
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::fetch_in_proj(const LayerRun<W>& l, Ahead<W, 8>& ahead) {
  const int unit = l.unit_begin + warp_id();
  if (unit >= l.unit_end) {
    ahead.clear();
    return;
  }
  const W* tile = l.in_proj + static_cast<std::ptrdiff_t>(unit) * l.wp * 16;
  if (l.wp == 256) {
    ahead.template fetch_all<1, 8>(tile, 0);
  } else {
    ahead.clear();
    ahead.template fetch_all<1, 4>(tile, 0);
  }
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::in_proj_team(const LayerRun<W>& l, std::uint32_t slot) {
  Ahead<W, 8> here;
  if constexpr (!Comm::kFlat) fetch_in_proj(l, here);
  const Ahead<W, 8>& ahead = in_ahead_or(here);
  const int unit = l.unit_begin + warp_id();
  ConvAhead conv;
  if (unit < l.unit_end) fetch_conv(l, unit, slot, conv);
  fetch_parts<1>(l.x_proj, l.x_tile, l.xp / 16, early.x_ahead);
  wait_x(l.wp);
  if (unit >= l.unit_end) return;
  float c[4];
  const float squares = l.wp == 256 ? tile_partial_of<1, false, 8>(ahead, normed_x(l.wp), 0, c)
                                    : tile_partial_of<1, false, 4>(ahead, normed_x(l.wp), 0, c);
  convolve(l, unit, slot, conv, squares, c);
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::fetch_out_proj(const LayerRun<W>& l) {
  const auto tid = static_cast<int>(threadIdx.x);
  fetch_parts<2>(l.out_proj, l.out_tile, l.wp / 16, early.out_ahead);
  if (tid < l.wp) early.bias_ahead = l.out_bias[row_of_part(tid)];
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::x_proj_team(const LayerRun<W>& l) {
  put_parts<kD, 1, TeamParts::kRowsD>(l, l.x_proj, l.x_tile, l.xp / 16, early.x_ahead, u, parts_d);
  fetch_scan(l, l.unit_begin + warp_id());
  fetch_out_proj(l);
  const auto tid = static_cast<int>(threadIdx.x);
  const int pairs = l.dp / 32;
  comm.wait(kD, parts_d, static_cast<std::uint32_t>(pairs * l.xp) * 4U);
  if (tid < l.xp) dbc[row_of_part(tid)] = sum_of_parts<TeamParts::kRowsD>(parts_d + tid, pairs);
  __syncthreads();
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::out_proj_team(const LayerRun<W>& l,
                                                      const LayerRun<W>* next) {
  if constexpr (Comm::kFlat) fetch_in_proj(*next, early.in_ahead);
  put_parts<kX, 2, TeamParts::kRowsX>(l, l.out_proj, l.out_tile, l.wp / 16, early.out_ahead, y,
                                      parts_x);
  last_pairs = l.dp / 32;
  pending = Pending::x;
}

// The end of out_proj: sums, bias, residual.
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::add_up_x(int wp) {
  const int pairs = last_pairs;
  const auto tid = static_cast<int>(threadIdx.x);
  const int row = row_of_part(tid);
  const float before = tid < wp ? x[row] : 0.0F;
  comm.wait(kX, parts_x, static_cast<std::uint32_t>(pairs * wp) * 4U);
  if (tid < wp) {
    const float v =
        sum_of_parts<TeamParts::kRowsX>(parts_x + tid, pairs) + (early.bias_ahead + before);
    x[row] = v;
    const HalvesOfX to = normed_x(wp);
    store_act(to.x + row, v);
    float sum = __fmul_rn(v, v);  // as squares8 adds up; a unit's rows are every second lane's
#pragma unroll
    for (int lanes = 2; lanes <= 8; lanes *= 2)
      sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, lanes));
    if ((tid & 14) == 0) to.squares[row / 8] = sum;
  }
  __syncthreads();
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::store_x(int wp, int s, int row, float v) {
  x[s * x_stride + row] = v;
  if constexpr (kHalves) {
    const HalvesOfX to = normed_x(wp);
    store_act(to.x + row, v);
    float sum = __fmul_rn(v, v);  // as squares8 adds up
#pragma unroll
    for (int lanes = 1; lanes <= 4; lanes *= 2)
      sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, lanes));
    if (row % 8 == 0) to.squares[row / 8] = sum;
  }
}

}  // namespace mambo::cuda
