// What a worker does otherwise when it plays several streams side by side (worker.cuh, NS > 1): the
// same sums in the same order, but staged. A lane first asks for everything it needs of all of its
// streams, then works it out, then stores: between a store and the next load through another
// pointer the compiler may move nothing, and each of these phases would wait for its memory once a
// stream.
#pragma once

#include "kernels/cuda/worker.cuh"

namespace mambo::cuda {

// Two units a warp at once: x is read, rounded and squared once for both.
template <class W, int NS, class Comm>
__device__ void Worker<W, NS, Comm>::in_proj_streams(const LayerRun<W>& l, std::uint32_t slot) {
  const int pairs = l.wp / 32;
  const int size = l.wp * 16;
  const int r = lane_id() >> 2;
  Fetched ahead[2];
  ConvAhead conv[2];
  const auto fetch = [&](int first) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int unit = first + j * kWarps;
      const bool real = unit < l.unit_end;
      ahead[j].fetch(real ? l.in_proj + static_cast<std::ptrdiff_t>(unit) * size : nullptr, pairs);
      fetch_conv(l, real ? unit : l.unit_end - 1, slot, conv[j]);
    }
  };
  int first = l.unit_begin + warp_id();
  fetch(first);
  wait_x(l.wp);
#pragma unroll 1
  for (; first < l.unit_end; first += 2 * kWarps) {
    const bool both = first + kWarps < l.unit_end;
    const W* const a = l.in_proj + static_cast<std::ptrdiff_t>(first) * size;
    const W* const b = both ? a + static_cast<std::ptrdiff_t>(kWarps) * size : a;
    float c[2][4];
    const float squares =
        two_tiles(a, b, ahead, FloatVector<true>{x + column() * x_stride}, pairs, c);
    float factor[kLaneStreams];
    rms_factors(squares, l.inv_width, factor);
    float before[2][kLaneStreams], value[2][kLaneStreams], z[2][kLaneStreams];
#pragma unroll
    for (int j = 0; j < 2; ++j) {
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        before[j][i] = fmaf(c[j][i], factor[i], conv[j].bias_u);
        z[j][i] = silu(fmaf(c[j][2 + i], factor[i], conv[j].bias_z));
        float sum = conv[j].bias;
        sum = fmaf(conv[j].w[0], conv[j].past[i][0], sum);
        sum = fmaf(conv[j].w[1], conv[j].past[i][1], sum);
        sum = fmaf(conv[j].w[2], conv[j].past[i][2], sum);
        value[j][i] = silu(fmaf(conv[j].w[3], before[j][i], sum));
      }
    }
    if (first + 2 * kWarps < l.unit_end) fetch(first + 2 * kWarps);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      if (j == 1 && !both) break;
      const int unit = first + j * kWarps;
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        if (!holds(i)) continue;
        const int s = stream(i);
        int stride;
        float* ring = conv_of(l, unit, s, stride) + r;
        ring[static_cast<int>(slot) * stride] = before[j][i];
        const int own = s * own_stride + (unit - l.unit_begin) * 8 + r;
        uf[own] = value[j][i];
        zf[own] = z[j][i];
        store_act(u + s * act_stride + unit * 8 + r, value[j][i]);
      }
    }
  }
}

// Of 16 states: two units a warp, two lanes a channel, so that what belongs to a channel is worked
// out twice instead of four times.
template <class W, int NS, class Comm>
__device__ void Worker<W, NS, Comm>::scan_streams(const LayerRun<W>& l) {
  const int odd = lane_id() & 1;
  const int of_pair = lane_id() >> 4;  // which of the two units
  const int r = lane_id() >> 1 & 7;
#pragma unroll 1
  for (int first = l.unit_begin + 2 * warp_id(); first < l.unit_end; first += 2 * kWarps) {
    const int unit = min(first + of_pair, l.unit_end - 1);
    const bool real = first + of_pair < l.unit_end;
    const float* p = l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats;
    const float* tail = p + 128 + 8 * l.r4 + 16 + 8 * K + r;
    const float* dt_w = p + 128 + r * l.r4;
    const int at = r * 16 + odd * 8;
    const int own = (unit - l.unit_begin) * 8 + r;
    float4 v[NS][2];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      const float4* h = reinterpret_cast<const float4*>(h_of(l, unit, s) + at);
      v[s][0] = h[0];
      v[s][1] = h[1];
    }
    const float4 a0 = *reinterpret_cast<const float4*>(p + at);
    const float4 a1 = *reinterpret_cast<const float4*>(p + at + 4);
    const float4 w0 = *reinterpret_cast<const float4*>(dt_w);
    const float dt_bias = tail[8];
    const float D = tail[16];
    float dt[NS], uc[NS], gate[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      dt[s] = dt_bias;
      dt[s] += dot4(w0, *reinterpret_cast<const float4*>(dbc + s * dbc_stride));
      uc[s] = uf[s * own_stride + own];
      gate[s] = zf[s * own_stride + own];
    }
#pragma unroll 1
    for (int j = 4; j < l.r4; j += 4) {
      const float4 w = *reinterpret_cast<const float4*>(dt_w + j);
#pragma unroll
      for (int s = 0; s < NS; ++s)
        dt[s] += dot4(w, *reinterpret_cast<const float4*>(dbc + s * dbc_stride + j));
    }
    float all[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      const float delta = softplus(dt[s]);
      const float du = delta * uc[s];
      const float* low = dbc + s * dbc_stride + l.rp + odd * 8;
      const float4* B = reinterpret_cast<const float4*>(low);
      const float4* C = reinterpret_cast<const float4*>(low + 16);
      float sum0 = 0.0F;
      float sum1 = 0.0F;
      update(v[s][0], a0, B[0], C[0], delta, du, sum0);
      update(v[s][1], a1, B[1], C[1], delta, du, sum1);
      all[s] = sum0 + sum1;
      all[s] += __shfl_xor_sync(0xFFFFFFFFU, all[s], 1);
    }
    if (!real) continue;
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      float4* h = reinterpret_cast<float4*>(h_of(l, unit, s) + at);
      h[0] = v[s][0];
      h[1] = v[s][1];
      if (odd == 0) store_act(y + s * act_stride + unit * 8 + r, fmaf(D, uc[s], all[s]) * gate[s]);
    }
  }
}

}  // namespace mambo::cuda
