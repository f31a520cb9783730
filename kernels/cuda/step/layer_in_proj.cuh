// LayerStep's first phase: in_proj, convolution, silu.
#pragma once

#include "kernels/cuda/step/layer_batch.cuh"
#include "kernels/cuda/step/layer_columns.cuh"
#include "kernels/cuda/step/layer_products.cuh"

namespace mambo::cuda {

template <class T>
__device__ void LayerStep<T>::in_proj(const Layer& l, std::uint32_t slot) {
  if constexpr (NS > 1) {
    in_proj_streams(l, slot);
  } else if constexpr (T::kColumns) {
    in_proj_columns(l, slot);
  } else {
    if constexpr (Exchange::kSplitsTiles) {
      const int tiles = l.tile_end - l.tile_begin;
      if (tiles <= kWarps / 4 && l.wp == 512) return in_proj_split<4>(l, slot);
      if (tiles <= kWarps / 4 && l.wp == 256) return in_proj_split<2>(l, slot);
    }
    ConvAhead conv;
    const auto prefetch = [&](int tile) { fetch_conv(l, tile, slot, conv); };
    for_each_tile<false>(
        l.in_proj, l.tile_begin, l.tile_end, l.wp,
        [&](int tile) {
          if (tile < l.tile_end) prefetch(tile);
          wait_x(l.wp);
        },
        prefetch, [&] { return normed_x(l.wp); },
        [&](int tile, float squares, const float(&c)[4]) {
          convolve(l, tile, slot, conv, squares, c);
        });
  }
}

// A channel tile by each four warps, all at once, each of kPairs pairs of tiles. The first of them
// has the sum and goes on with it.
template <class T>
template <int kPairs>
__device__ void LayerStep<T>::in_proj_split(const Layer& l, std::uint32_t slot) {
  constexpr int kSplit = 4;
  const int sub = warp_id() % kSplit;
  const int tile = l.tile_begin + warp_id() / kSplit;
  const bool real = tile < l.tile_end;
  Ahead<W, kPairs> ahead;
  ahead.template fetch_all<kSplit, kPairs>(
      l.in_proj + static_cast<std::ptrdiff_t>(real ? tile : l.tile_begin) * l.wp * 16, sub);
  ConvAhead conv;
  if (real && sub == 0) fetch_conv(l, tile, slot, conv);
  wait_x(l.wp);
  if (!real) return;
  float c[4];
  float squares = tile_partial_of<kSplit, false, kPairs>(ahead, normed_x(l.wp), sub, c);
  float* mine = warp_sums + warp_id() * kWarpSums;
  if (sub != 0 && lane_id() < 4) mine[16 + lane_id()] = squares;
  if (!sum_warps<kSplit>(c)) return;
  mine += 16 + lane_id() % 4;
  squares = (squares + mine[kWarpSums]) + (mine[2 * kWarpSums] + mine[3 * kWarpSums]);
  convolve(l, tile, slot, conv, squares, c);
}

// From in_proj's sums of a channel tile to u and the gate: norm, convolution, silu.
template <class T>
__device__ void LayerStep<T>::convolve(const Layer& l, int tile, std::uint32_t slot,
                                       const ConvAhead& conv, float squares, const float (&c)[4]) {
  const int r = lane_id() >> 2;
  float factor[kLaneStreams];
  rms_factors(squares, l.inv_width, factor);
  const float now = fmaf(c[0], factor[0], conv.bias_u);
  const float z = fmaf(c[2], factor[0], conv.bias_z);
  int stride;
  float* ring = conv_of(l, tile, 0, stride) + r;
  float sum = conv.bias;
  if (T::kFixed || K == 4) {
    sum = convolve4(sum, conv.w, conv.past[0], now);
  } else {
    const float* w = channel_record(l, tile) + 16;
    std::uint32_t at = slot;
    for (int k = 0; k + 1 < K; ++k) {
      at = at + 1 == static_cast<std::uint32_t>(K) ? 0 : at + 1;  // the oldest comes first
      sum = fmaf(w[8 * k], ring[static_cast<int>(at) * stride], sum);
    }
    sum = fmaf(w[8 * (K - 1)], now, sum);
  }
  if (lane_id() % 4 == 0) ring[static_cast<int>(slot) * stride] = now;
  const float value = silu(sum);
  const int own = (tile - l.tile_begin) * 8 + r;
  if (lane_id() % 4 == 0) {
    own_u[own] = value;
    own_gate[own] = silu(z);
  }
  if constexpr (T::kColumns)
    CtaExchange().put_tile(kU, u, tile, value);
  else
    exchange.put_tile(kU, u, tile, value);
}

template <class T>
__device__ void LayerStep<T>::fetch_conv(const Layer& l, int tile, std::uint32_t slot,
                                         ConvAhead& conv) const {
  const float* p = channel_record(l, tile);
  conv.bias_u = p[0];
  conv.bias_z = p[8];
  conv.bias = p[16 + 8 * K];
  if (!T::kFixed && K != 4) return;
  conv.w = make_float4(p[16], p[24], p[32], p[40]);
#pragma unroll
  for (int i = 0; i < kLaneStreams; ++i) {
    if (!holds(i)) continue;
    int stride;
    const float* ring = conv_of(l, tile, stream(i), stride) + (lane_id() >> 2);
#pragma unroll
    for (std::uint32_t k = 0; k < 3; ++k)
      conv.past[i][k] = ring[static_cast<int>((slot + 1 + k) & 3U) * stride];
  }
}

}  // namespace mambo::cuda
