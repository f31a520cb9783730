// LayerStep's first phase: in_proj, convolution, silu. Of a team: worker_team.cuh; of several
// streams of the usual shape: worker_streams.cuh.
#pragma once

#include "kernels/cuda/step/layer_step.cuh"

namespace mambo::cuda {

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::in_proj(const LayerRun<W>& l, std::uint32_t slot) {
  if constexpr (NS > 1 && Comm::kUsual) {
    in_proj_streams(l, slot);
    return;
  }
  if constexpr (Comm::kTeam) {
    in_proj_team(l, slot);
    return;
  }
  if constexpr (Comm::kSplitsUnits && sizeof(W) == 2) {
    const int units = l.unit_end - l.unit_begin;
    if (units <= kWarps / 4 && l.wp == 512) return in_proj_split<4>(l, slot);
    if (units <= kWarps / 4 && l.wp == 256) return in_proj_split<2>(l, slot);
  }
  const int pairs = l.wp / 32;
  const int tile = l.wp * 16;
  int unit = l.unit_begin + warp_id();
  Fetched ahead;
  ahead.fetch(unit < l.unit_end ? l.in_proj + static_cast<std::ptrdiff_t>(unit) * tile : nullptr,
              pairs);
  ConvAhead conv;
  if (unit < l.unit_end) fetch_conv(l, unit, slot, conv);
  wait_x(l.wp);
#pragma unroll 1
  for (; unit < l.unit_end; unit += kWarps) {
    float c[4];
    const float squares = tile_product(l.in_proj + static_cast<std::ptrdiff_t>(unit) * tile, ahead,
                                       normed_x(l.wp), pairs, c);
    if (unit + kWarps < l.unit_end)
      ahead.fetch(l.in_proj + static_cast<std::ptrdiff_t>(unit + kWarps) * tile, pairs);
    convolve(l, unit, slot, conv, squares, c);
    if (unit + kWarps < l.unit_end) fetch_conv(l, unit + kWarps, slot, conv);
  }
}

// A unit by each four warps, all at once, each of kPairs pairs of tiles. The first of them has
// the sum and goes on with it.
template <class W, int NS, class Comm>
template <int kPairs>
__device__ void LayerStep<W, NS, Comm>::in_proj_split(const LayerRun<W>& l, std::uint32_t slot) {
  constexpr int kSplit = 4;
  const int sub = warp_id() % kSplit;
  const int unit = l.unit_begin + warp_id() / kSplit;
  const bool real = unit < l.unit_end;
  Ahead<W, kPairs> ahead;
  ahead.template fetch_all<kSplit, kPairs>(
      l.in_proj + static_cast<std::ptrdiff_t>(real ? unit : l.unit_begin) * l.wp * 16, sub);
  ConvAhead conv;
  if (real && sub == 0) fetch_conv(l, unit, slot, conv);
  wait_x(l.wp);
  if (!real) return;
  float c[4];
  float squares = tile_partial_of<kSplit, false, kPairs>(ahead, normed_x(l.wp), sub, c);
  float* mine = part + warp_id() * kPart;
  if (sub != 0 && lane_id() < 4) mine[16 + lane_id()] = squares;
  if (!add_parts<kSplit>(c)) return;
  mine += 16 + lane_id() % 4;
  squares = (squares + mine[kPart]) + (mine[2 * kPart] + mine[3 * kPart]);
  convolve(l, unit, slot, conv, squares, c);
}

// From in_proj's sums of a unit to u and z: norm, convolution, silu.
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::convolve(const LayerRun<W>& l, int unit, std::uint32_t slot,
                                                 const ConvAhead& conv, float squares,
                                                 const float (&c)[4]) {
  const int r = lane_id() >> 2;
  float factor[kLaneStreams];
  rms_factors(squares, l.inv_width, factor);
#pragma unroll
  for (int i = 0; i < kLaneStreams; ++i) {
    const int s = stream(i);
    const float before = fmaf(c[i], factor[i], conv.bias_u);
    const float z = fmaf(c[2 + i], factor[i], conv.bias_z);
    float sum = conv.bias;
    if (holds(i)) {
      int stride;
      float* ring = conv_of(l, unit, s, stride) + r;
      if (Comm::kUsual || K == 4) {
        sum = fmaf(conv.w[0], conv.past[i][0], sum);
        sum = fmaf(conv.w[1], conv.past[i][1], sum);
        sum = fmaf(conv.w[2], conv.past[i][2], sum);
        sum = fmaf(conv.w[3], before, sum);
      } else {
        const float* w = channel_record(l, unit) + 16;
        std::uint32_t at = slot;
        for (int k = 0; k + 1 < K; ++k) {
          at = at + 1 == static_cast<std::uint32_t>(K) ? 0 : at + 1;  // the oldest comes first
          sum = fmaf(w[8 * k], ring[static_cast<int>(at) * stride], sum);
        }
        sum = fmaf(w[8 * (K - 1)], before, sum);
      }
      if (NS > 1 || lane_id() % 4 == 0) ring[static_cast<int>(slot) * stride] = before;
    }
    const float value = silu(sum);
    const int own = s * own_stride + (unit - l.unit_begin) * 8 + r;
    if constexpr (NS == 1) {
      if (lane_id() % 4 == 0) {
        uf[own] = value;
        zf[own] = silu(z);
      }
      if constexpr (Comm::kTeam)
        Here().put_unit(kU, u, unit, value);
      else
        comm.put_unit(kU, u, unit, value);
    } else if (holds(i)) {
      uf[own] = value;
      zf[own] = silu(z);
      store_act(u + s * act_stride + unit * 8 + r, value);
    }
  }
}

// in_proj bias [16], conv [K][8], conv bias [8], dt bias [8], D [8], for this lane's channel.
template <class W, int NS, class Comm>
__device__ const float* LayerStep<W, NS, Comm>::channel_record(const LayerRun<W>& l,
                                                               int unit) const {
  return l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats + 8 * h_floats(l) + 8 * l.r4 +
         (lane_id() >> 2);
}
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::fetch_conv(const LayerRun<W>& l, int unit,
                                                   std::uint32_t slot, ConvAhead& conv) const {
  const float* p = channel_record(l, unit);
  conv.bias_u = p[0];
  conv.bias_z = p[8];
  conv.bias = p[16 + 8 * K];
  if (!Comm::kUsual && K != 4) return;
#pragma unroll
  for (int k = 0; k < 4; ++k) conv.w[k] = p[16 + 8 * k];
#pragma unroll
  for (int i = 0; i < kLaneStreams; ++i) {
    if (!holds(i)) continue;
    int stride;
    const float* ring = conv_of(l, unit, stream(i), stride) + (lane_id() >> 2);
#pragma unroll
    for (std::uint32_t k = 0; k < 3; ++k)
      conv.past[i][k] = ring[static_cast<int>((slot + 1 + k) & 3U) * stride];
  }
}

}  // namespace mambo::cuda
