// LayerStep with several streams per CTA (NS > 1), of a fixed shape: the same sums in the same
// order, but staged. A lane first loads everything it needs of all of its streams, then computes,
// then stores: the compiler may move no load across a store through another pointer, so without
// staging each phase would wait for memory once per stream.
#pragma once

#include "kernels/cuda/step/layer_products.cuh"

namespace mambo::cuda {

// States in global memory: read and written at every step of their tier, and of many streams more
// than the L2 holds. Marked evict-first they leave the L2 to weights and windows, and part of them
// stays nevertheless; unmarked, each is evicted just before it is needed again (a batch of
// piano-lab on an H100: 17.6 -> 20.4 M samples/s).
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

// Tells the compiler that p points into shared memory: a generic load waits in the queues of both
// memories.
template <class T>
__device__ inline T* in_shared(T* p) {
  return static_cast<T*>(__cvta_shared_to_generic(__cvta_generic_to_shared(p)));
}

// Two channel tiles per warp at once: x is read, rounded and squared once for both.
template <class T>
__device__ void LayerStep<T>::in_proj_streams(const Layer& l, std::uint32_t slot) {
  const int pairs = l.wp / 32;
  const int size = l.wp * 16;
  const int r = lane_id() >> 2;
  Fetched ahead[2];
  ConvAhead conv[2];
  const auto fetch = [&](int first) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int tile = first + j * kWarps;
      const bool real = tile < l.tile_end;
      ahead[j].fetch(real ? l.in_proj + static_cast<std::ptrdiff_t>(tile) * size : nullptr, pairs);
      fetch_conv(l, real ? tile : l.tile_end - 1, slot, conv[j]);
    }
  };
  int first = l.tile_begin + warp_id();
  fetch(first);
  wait_x(l.wp);
#pragma unroll 1
  for (; first < l.tile_end; first += 2 * kWarps) {
    const bool both = first + kWarps < l.tile_end;
    const W* const a = l.in_proj + static_cast<std::ptrdiff_t>(first) * size;
    const W* const b = both ? a + static_cast<std::ptrdiff_t>(kWarps) * size : a;
    float c[2][4];
    const float squares = two_tiles(a, b, ahead, normed_x(l.wp), pairs, c);
    float factor[kLaneStreams];
    rms_factors(squares, l.inv_width, factor);
    float now[2][kLaneStreams], value[2][kLaneStreams], gate[2][kLaneStreams];
#pragma unroll
    for (int j = 0; j < 2; ++j) {
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        now[j][i] = fmaf(c[j][i], factor[i], conv[j].bias_u);
        gate[j][i] = silu(fmaf(c[j][2 + i], factor[i], conv[j].bias_z));
        value[j][i] = silu(convolve4(conv[j].bias, conv[j].w, conv[j].past[i], now[j][i]));
      }
    }
    if (first + 2 * kWarps < l.tile_end) fetch(first + 2 * kWarps);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      if (j == 1 && !both) break;
      const int tile = first + j * kWarps;
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        if (!holds(i)) continue;
        const int s = stream(i);
        int stride;
        float* ring = conv_of(l, tile, s, stride) + r;
        ring[static_cast<int>(slot) * stride] = now[j][i];
        const int own = s * own_stride + (tile - l.tile_begin) * 8 + r;
        own_u[own] = value[j][i];
        own_gate[own] = gate[j][i];
        store_act(u + s * act_stride + tile * 8 + r, value[j][i]);
      }
    }
  }
}

// Two channel tiles per warp, two lanes per channel, so that what belongs to a channel is computed
// twice instead of four times.
struct BatchLane {
  int odd = lane_id() & 1;       // which of the channel's lanes
  int of_pair = lane_id() >> 4;  // which of the two tiles
  int r = lane_id() >> 1 & 7;    // channel of the tile
};

// Of 16 states. kInShared: the layer's states are in shared memory.
template <class T>
template <bool kInShared>
__device__ void LayerStep<T>::scan_streams(S6, const Layer& l) {
  const BatchLane lane;
  const PassingStates passing;
#pragma unroll 1
  for (int first = l.tile_begin + 2 * warp_id(); first < l.tile_end; first += 2 * kWarps) {
    const int tile = min(first + lane.of_pair, l.tile_end - 1);
    const bool real = first + lane.of_pair < l.tile_end;
    const float* p = record(l, tile);
    const float* tail = p + 128 + 8 * l.second + 16 + 8 * K + lane.r;
    const float* dt_w = p + 128 + lane.r * l.second;
    const int at = lane.r * 16 + lane.odd * 8;
    const int own = (tile - l.tile_begin) * 8 + lane.r;
    float4 v[NS][2];
    // Addresses are found once, for load and store: in global memory each stream has its own.
    float4* states_of[kInShared ? 1 : NS];
    if constexpr (kInShared) {
      states_of[0] = in_shared(reinterpret_cast<float4*>(l.h + tile * NS * 128 + at));
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        v[s][0] = states_of[0][s * 32];
        v[s][1] = states_of[0][s * 32 + 1];
      }
    } else {
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        states_of[s] = reinterpret_cast<float4*>(states[s] + l.h_at + tile * 128 + at);
        v[s][0] = passing.load(states_of[s]);
        v[s][1] = passing.load(states_of[s] + 1);
      }
    }
    const float4 a0 = *reinterpret_cast<const float4*>(p + at);
    const float4 a1 = *reinterpret_cast<const float4*>(p + at + 4);
    const float4 w0 = *reinterpret_cast<const float4*>(dt_w);
    const float dt_bias = tail[8];
    const float D = tail[16];
    float low_rank[NS], uc[NS], gate[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      low_rank[s] = dt_bias;
      low_rank[s] += dot4(w0, *reinterpret_cast<const float4*>(dbc + s * dbc_stride));
      uc[s] = own_u[s * own_stride + own];
      gate[s] = own_gate[s * own_stride + own];
    }
#pragma unroll 1
    for (int j = 4; j < l.second; j += 4) {
      const float4 w = *reinterpret_cast<const float4*>(dt_w + j);
#pragma unroll
      for (int s = 0; s < NS; ++s)
        low_rank[s] += dot4(w, *reinterpret_cast<const float4*>(dbc + s * dbc_stride + j));
    }
    float all[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      const float delta = S6::delta(low_rank[s], by_hand_of<S6>(l, s, tile * 8 + lane.r));
      const float du = delta * uc[s];
      const float* low = dbc + s * dbc_stride + l.rp + lane.odd * 8;
      const float4* B = reinterpret_cast<const float4*>(low);
      const float4* C = reinterpret_cast<const float4*>(low + 16);
      float sum0 = 0.0F;
      float sum1 = 0.0F;
      S6::update(v[s][0], a0, B[0], C[0], delta, du, sum0);
      S6::update(v[s][1], a1, B[1], C[1], delta, du, sum1);
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
      if (lane.odd == 0)
        store_act(y + s * act_stride + tile * 8 + lane.r, fmaf(D, uc[s], all[s]) * gate[s]);
    }
  }
}

// Of any number of states, 16 floats of a channel at a time.
template <class T>
template <bool kInShared>
__device__ void LayerStep<T>::scan_streams(S4D, const Layer& l) {
  const BatchLane lane;
  const int columns = l.h_floats;
  const PassingStates passing;
#pragma unroll 1
  for (int first = l.tile_begin + 2 * warp_id(); first < l.tile_end; first += 2 * kWarps) {
    const int tile = min(first + lane.of_pair, l.tile_end - 1);
    const bool real = first + lane.of_pair < l.tile_end;
    const float* p = record(l, tile);
    const int own = (tile - l.tile_begin) * 8 + lane.r;
    const float D = p[16 * columns + 16 + 8 * K + 16 + lane.r];
    float uc[NS], sum0[NS], sum1[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      uc[s] = own_u[s * own_stride + own];
      sum0[s] = sum1[s] = 0.0F;
    }
#pragma unroll 1
    for (int at = lane.r * columns + lane.odd * 8; at < (lane.r + 1) * columns; at += 16) {
      float4 v[NS][2];
      float4* here = nullptr;
      if constexpr (kInShared)
        here = in_shared(reinterpret_cast<float4*>(l.h + tile * NS * 8 * columns + at));
      const auto place = [&](int s) {
        if constexpr (kInShared)
          return here + s * 2 * columns;
        else
          return reinterpret_cast<float4*>(states[s] + l.h_at + tile * 8 * columns + at);
      };
#pragma unroll
      for (int s = 0; s < NS; ++s) {
#pragma unroll
        for (int j = 0; j < 2; ++j) v[s][j] = kInShared ? place(s)[j] : passing.load(place(s) + j);
      }
      const float4* decay = reinterpret_cast<const float4*>(p + at);
      const float4* gain = reinterpret_cast<const float4*>(p + 8 * columns + at);
      const float4 d0 = decay[0];
      const float4 d1 = decay[1];
      const float4 g0 = gain[0];
      const float4 g1 = gain[1];
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        S4D::update(v[s][0], d0, g0, uc[s], sum0[s]);
        S4D::update(v[s][1], d1, g1, uc[s], sum1[s]);
      }
      if (!real) continue;
#pragma unroll
      for (int s = 0; s < NS; ++s) {
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          if constexpr (kInShared)
            place(s)[j] = v[s][j];
          else
            passing.store(place(s) + j, v[s][j]);
        }
      }
    }
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      float all = sum0[s] + sum1[s];
      all += __shfl_xor_sync(0xFFFFFFFFU, all, 1);
      all = S4D::read(all, by_hand_of<S4D>(l, s, tile * 8 + lane.r));
      if (real && lane.odd == 0)
        store_act(y + s * act_stride + tile * 8 + lane.r,
                  fmaf(D, uc[s], all) * own_gate[s * own_stride + own]);
    }
  }
}

}  // namespace mambo::cuda
