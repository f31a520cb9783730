// What a worker does otherwise when it plays several streams side by side, of the usual shape
// (NS > 1, Comm::kUsual; other shapes go worker.cuh's own way): the same sums in the same order,
// but staged. A lane first asks for everything it needs of all of its streams, then works it out,
// then stores: between a store and the next load through another pointer the compiler may move
// nothing, and each of these phases would wait for its memory once a stream.
#pragma once

#include "kernels/cuda/step/layer_step.cuh"

namespace mambo::cuda {

// States that stand in global memory: read and written at every step of their tier, and of many
// streams more than the L2 holds. As what is to go first they leave it to weights and windows, and
// part of them stays in spite of all that passes; left to itself the L2 loses each just before it
// is wanted again (a batch of piano-lab on an H100: 17.6 -> 20.4 M samples/s).
struct PassingStates {
#if __CUDA_ARCH__ >= 800
  std::uint64_t policy;
  __device__ PassingStates() {
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  }
  __device__ float4 load(const float4* p) const {
    float4 v;
    asm volatile("ld.global.L2::cache_hint.v4.f32 {%0,%1,%2,%3}, [%4], %5;"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "l"(__cvta_generic_to_global(p)), "l"(policy)
                 : "memory");
    return v;
  }
  __device__ void store(float4* p, const float4& v) const {
    asm volatile("st.global.L2::cache_hint.v4.f32 [%0], {%1,%2,%3,%4}, %5;" ::"l"(
                     __cvta_generic_to_global(p)),
                 "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w), "l"(policy)
                 : "memory");
  }
#else
  __device__ float4 load(const float4* p) const { return *p; }
  __device__ void store(float4* p, const float4& v) const { *p = v; }
#endif
};

// Tells the compiler that p points into shared memory: a load that may go anywhere stands in the
// queues of both.
template <class T>
__device__ inline T* in_shared(T* p) {
  return static_cast<T*>(__cvta_shared_to_generic(__cvta_generic_to_shared(p)));
}

// Two units a warp at once: x is read, rounded and squared once for both.
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::in_proj_streams(const LayerRun<W>& l, std::uint32_t slot) {
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
// out twice instead of four times. kInShared: the layer's states stand in shared memory.
template <class W, int NS, class Comm>
template <bool kInShared>
__device__ void LayerStep<W, NS, Comm>::scan_streams(const LayerRun<W>& l) {
  const int odd = lane_id() & 1;
  const int of_pair = lane_id() >> 4;  // which of the two units
  const int r = lane_id() >> 1 & 7;
  const PassingStates passing;
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
    // Found once, for load and store: of streams in global memory each is somewhere else.
    float4* states_of[kInShared ? 1 : NS];
    if constexpr (kInShared) {
      states_of[0] = in_shared(reinterpret_cast<float4*>(l.h + unit * NS * 128 + at));
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        v[s][0] = states_of[0][s * 32];
        v[s][1] = states_of[0][s * 32 + 1];
      }
    } else {
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        states_of[s] = reinterpret_cast<float4*>(states[s] + l.h_at + unit * 128 + at);
        v[s][0] = passing.load(states_of[s]);
        v[s][1] = passing.load(states_of[s] + 1);
      }
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
      if constexpr (kInShared) {
        states_of[0][s * 32] = v[s][0];
        states_of[0][s * 32 + 1] = v[s][1];
      } else {
        passing.store(states_of[s], v[s][0]);
        passing.store(states_of[s] + 1, v[s][1]);
      }
      if (odd == 0) store_act(y + s * act_stride + unit * 8 + r, fmaf(D, uc[s], all[s]) * gate[s]);
    }
  }
}

}  // namespace mambo::cuda
