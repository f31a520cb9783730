// x_proj and out_proj split by columns (an all-reduce): each CTA computes the columns of its own
// channels, for all rows, and sends its partial sums to every CTA; each adds them up. So u and y
// never travel, a layer has two exchanges instead of three or four, a CTA reads its own columns of
// the weights and no others, and x is whole everywhere without being sent.
//
// A partial sum is that of a pair of tiles (32 columns, the channels of four channel tiles),
// computed by itself: they add up in the order of tile_partial, so that this split draws what every
// other plan draws.
//
// Hazard: partials overwritten while a slower CTA still reads those of the layer before (WAR).
// Mechanism: a CTA sends partials of x_proj (or the empty arrive of an S4D layer: layer_scan.cuh)
// after it has summed those of the out_proj before, and each sends out_proj's behind a barrier that
// follows its last read of x_proj's.
#pragma once

#include "kernels/cuda/step/layer_products.cuh"

namespace mambo::cuda {

// A row's sum; kRows: the distance from partial to partial.
template <int kRows>
__device__ inline float sum_of_partials(const float* partials, int pairs) {
  float s[4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (half == 1 && pairs <= 8) break;
    float p[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) p[j] = partials[(half * 8 + j) * kRows];
#pragma unroll
    for (int j = 0; j < 8; ++j) s[j % 4] += p[j];
  }
  return sum_up(s);
}
// Among partials, rows r and r + 8 of 16 are side by side: which row is at `i`.
__device__ inline int row_of_partial(int i) { return (i & ~15) | (i & 1) << 3 | (i >> 1 & 7); }

// The first tile of a warp that has at most kMost. Where that is one, x_proj's at most four go to
// the upper half of the warps: the lower half owns channel tiles, and meanwhile prefetches what the
// scan needs (SC09's size: 21.7 -> 21.1 us).
template <int kMost>
__device__ inline int first_tile_of_warp() {
  static_assert(PartialSums::kRowsD <= 16 * kWarps / 2);
  return kMost == 1 ? warp_id() ^ kWarps / 2 : warp_id();
}

// A warp's tiles of this CTA's first pair of columns. matrix: its own pairs alone, tile_size
// elements from tile to tile.
template <class T>
template <int kMost>
__device__ void LayerStep<T>::fetch_columns(const W* matrix, int tile_size, int tiles,
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

// This CTA's partial sums of matrix x vector to every CTA; a warp has at most kMost tiles, `a` what
// it has prefetched. Begins with a barrier: what this CTA has made of the vector is complete.
template <class T>
template <int kMost, int kRows>
__device__ void LayerStep<T>::put_partial_sums(Message message, const Layer& l, const W* matrix,
                                               int tile_size, int tiles, uint4 (&a)[2 * kMost],
                                               const W* vector, float* to) {
  const int own = (l.tile_end - l.tile_begin) / 4;
  const int first = l.tile_begin / 4;
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
        exchange.put_partials(message, place + i * kWarps * 16, c[0], c[2]);
      }
    }
    if (++pair == own) break;
    place += kRows;
    fetch_columns<kMost>(matrix + pair * 512, tile_size, tiles, a);
  }
}

// Channel tiles of this CTA: at most one per warp; vectors of 128 or 256.
template <class T>
__device__ void LayerStep<T>::fetch_in_proj(const Layer& l, Ahead<W, 8>& ahead) {
  const int tile = l.tile_begin + warp_id();
  if (tile >= l.tile_end) {
    ahead.clear();
    return;
  }
  const W* weights = l.in_proj + static_cast<std::ptrdiff_t>(tile) * l.wp * 16;
  if (l.wp == 256) {
    ahead.template fetch_all<1, 8>(weights, 0);
  } else {
    ahead.clear();
    ahead.template fetch_all<1, 4>(weights, 0);
  }
}

template <class T>
__device__ void LayerStep<T>::in_proj_columns(const Layer& l, std::uint32_t slot) {
  const int tile = l.tile_begin + warp_id();
  const auto finish = [&](const Ahead<W, 8>& ahead) {
    ConvAhead conv;
    if (tile < l.tile_end) fetch_conv(l, tile, slot, conv);
    fetch_columns<1>(l.x_proj, l.x_tile, l.xp / 16, ahead_of_columns.x_proj);
    wait_x(l.wp);
    if (tile >= l.tile_end) return;
    float c[4];
    const float squares = l.wp == 256 ? tile_partial_of<1, false, 8>(ahead, normed_x(l.wp), 0, c)
                                      : tile_partial_of<1, false, 4>(ahead, normed_x(l.wp), 0, c);
    convolve(l, tile, slot, conv, squares, c);
  };
  if constexpr (T::kFlat) {
    finish(ahead_of_columns.in_proj);
  } else {
    Ahead<W, 8> here;
    fetch_in_proj(l, here);
    finish(here);
  }
}

template <class T>
__device__ void LayerStep<T>::fetch_out_proj(const Layer& l) {
  const auto tid = static_cast<int>(threadIdx.x);
  fetch_columns<2>(l.out_proj, l.out_tile, l.wp / 16, ahead_of_columns.out_proj);
  if (tid < l.wp) ahead_of_columns.bias = l.out_bias[row_of_partial(tid)];
}

template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::x_proj_columns(const Layer& l, ScanAhead<M>& ahead) {
  put_partial_sums<1, PartialSums::kRowsD>(kDbc, l, l.x_proj, l.x_tile, l.xp / 16,
                                           ahead_of_columns.x_proj, u, partial_dbc);
  fetch_scan(l, l.tile_begin + warp_id(), ahead);
  fetch_out_proj(l);
  const auto tid = static_cast<int>(threadIdx.x);
  const int pairs = l.dp / 32;
  RowByHand hand;
  if (T::kByHand && tid < l.xp) hand = row_by_hand(l, 0, row_of_partial(tid));
  exchange.wait(kDbc, partial_dbc, static_cast<std::uint32_t>(pairs * l.xp) * 4U);
  if (tid < l.xp) {
    const int row = row_of_partial(tid);
    float v = sum_of_partials<PartialSums::kRowsD>(partial_dbc + tid, pairs);
    if constexpr (T::kByHand) v = hand.of(v);
    dbc[row] = v;
  }
  __syncthreads();
}

template <class T>
__device__ void LayerStep<T>::out_proj_columns(const Layer& l, const Layer* next) {
  if constexpr (T::kFlat) fetch_in_proj(*next, ahead_of_columns.in_proj);
  put_partial_sums<2, PartialSums::kRowsX>(kX, l, l.out_proj, l.out_tile, l.wp / 16,
                                           ahead_of_columns.out_proj, y, partial_x);
  last_pairs = l.dp / 32;
  pending = Pending::x;
}

// The end of out_proj: sums, bias, residual.
template <class T>
__device__ void LayerStep<T>::sum_up_x(int wp) {
  const int pairs = last_pairs;
  const auto tid = static_cast<int>(threadIdx.x);
  const int row = row_of_partial(tid);
  const float before = tid < wp ? x[row] : 0.0F;
  exchange.wait(kX, partial_x, static_cast<std::uint32_t>(pairs * wp) * 4U);
  if (tid < wp) {
    const float v = sum_of_partials<PartialSums::kRowsX>(partial_x + tid, pairs) +
                    (ahead_of_columns.bias + before);
    x[row] = v;
    const HalvesOfX to = normed_x(wp);
    store_act(to.x + row, v);
    const float sum = squares8<2>(v);  // a channel tile's rows are every second lane's
    if ((tid & 14) == 0) to.squares[row / 8] = sum;
  }
  __syncthreads();
}

template <class T>
__device__ void LayerStep<T>::store_x(int wp, int s, int row, float v) {
  x[s * x_stride + row] = v;
  if constexpr (T::kHalves) {
    const HalvesOfX to = normed_x(wp);
    store_act(to.x + row, v);
    const float sum = squares8<1>(v);
    if (row % 8 == 0) to.squares[row / 8] = sum;
  }
}

}  // namespace mambo::cuda
