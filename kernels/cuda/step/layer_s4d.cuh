// A time-invariant layer's scan (kernels/mixers/s4d.h): decay and gain are the channel's constants,
// so between in_proj and out_proj nothing is multiplied by a matrix, and no exponential is taken
// but the gate's.
#pragma once

#include "kernels/cuda/step/layer_batch.cuh"
#include "kernels/cuda/step/layer_columns.cuh"

namespace mambo::cuda {

// Two states of a channel, real and imaginary part side by side.
__device__ inline void update_modes(float4& v, const float4& decay, const float4& gain, float u,
                                    float& sum) {
  const float first = fmaf(decay.x, v.x, fmaf(-decay.y, v.y, u));
  v.y = fmaf(decay.x, v.y, decay.y * v.x);
  v.x = first;
  const float second = fmaf(decay.z, v.z, fmaf(-decay.w, v.w, u));
  v.w = fmaf(decay.z, v.w, decay.w * v.z);
  v.z = second;
  sum = fmaf(gain.w, v.w, fmaf(gain.z, v.z, fmaf(gain.y, v.y, fmaf(gain.x, v.x, sum))));
}

// Nobody multiplies u, and each CTA needs no more than its own channels. But groups keep step by
// the exchange of u and y in every layer (exchange.cuh): where not all CTAs have rows of out_proj,
// x alone would let the fast ones send the next y before a slow one has this one. A team keeps step
// by the parts of x_proj and out_proj: in place of the former its CTAs call one another, and who
// has called has added up the parts of the last out_proj.
template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::wait_u(const LayerRun<W>& l) {
  if constexpr (NS == 1 || !Comm::kUsual) fetch_scan(l, l.unit_begin + warp_id());
  if constexpr (Comm::kTeam) {
    fetch_out_proj(l);
    __syncthreads();
    if (warp_id() == 0) comm.call(kD, parts_d);
    comm.wait(kD, parts_d, static_cast<std::uint32_t>(comm.members) * 8U);
  } else {
    comm.wait(kU, u, static_cast<std::uint32_t>(l.dp * sizeof(W)));
    if constexpr (Comm::kShared) __syncthreads();
  }
}

template <class W, int NS, class Comm>
__device__ void LayerStep<W, NS, Comm>::scan_modes(const LayerRun<W>& l, std::uint32_t row) {
  if constexpr (NS > 1 && Comm::kUsual) {
    if (l.h != nullptr)
      scan_modes_streams<true>(l);
    else
      scan_modes_streams<false>(l);
    return;
  }
  const int r = lane_id() >> 2;
  const int q = lane_id() & 3;
  const int hp = h_floats(l);
#pragma unroll 1
  for (int unit = l.unit_begin + warp_id(); unit < l.unit_end; unit += kWarps) {
    const ScanAhead now = ahead_of_scan;
    const float* p = l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats + r * hp + q * 4;
    float4 next_h = now.h;
#pragma unroll 1
    for (int s = 0; s < NS; ++s) {
      float4 v = next_h;
      if (NS > 1 && s + 1 < NS) next_h = *reinterpret_cast<const float4*>(h_at(l, unit, s + 1));
      const int own = s * own_stride + (unit - l.unit_begin) * 8 + r;
      const float uc = uf[own];
      float* h = h_at(l, unit, s);
      float sum = 0.0F;
      update_modes(v, now.A, now.dt_w, uc, sum);
      *reinterpret_cast<float4*>(h) = v;
#pragma unroll 1
      for (int n = 16; n < hp; n += 16) {
        v = *reinterpret_cast<const float4*>(h + n);
        update_modes(v, *reinterpret_cast<const float4*>(p + n),
                     *reinterpret_cast<const float4*>(p + 8 * hp + n), uc, sum);
        *reinterpret_cast<float4*>(h + n) = v;
      }
      const float value = fmaf(now.D, uc, quad_sum(sum)) * zf[own];
      if constexpr (NS == 1) {
        if (tap != nullptr && q == 0)
          tap[l.tap_at + row * static_cast<std::uint32_t>(l.dp) + unit * 8 + r] = now.dt_bias;
        if constexpr (Comm::kTeam) {
          Here().put_unit(kY, y, unit, value);
        } else {
          if constexpr (Comm::kShared) __syncwarp();  // as in scan
          comm.put_unit(kY, y, unit, value);
        }
      } else if (q == 0) {
        store_act(y + s * act_stride + unit * 8 + r, value);
      }
    }
    fetch_scan(l, unit + kWarps);
  }
}

// As scan_streams: two units a warp, two lanes a channel.
template <class W, int NS, class Comm>
template <bool kInShared>
__device__ void LayerStep<W, NS, Comm>::scan_modes_streams(const LayerRun<W>& l) {
  const int odd = lane_id() & 1;
  const int of_pair = lane_id() >> 4;
  const int r = lane_id() >> 1 & 7;
  const int hp = l.hp;
  const PassingStates passing;
#pragma unroll 1
  for (int first = l.unit_begin + 2 * warp_id(); first < l.unit_end; first += 2 * kWarps) {
    const int unit = min(first + of_pair, l.unit_end - 1);
    const bool real = first + of_pair < l.unit_end;
    const float* p = l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats;
    const int own = (unit - l.unit_begin) * 8 + r;
    const float D = p[16 * hp + 16 + 8 * K + 16 + r];
    float uc[NS], sum0[NS], sum1[NS];
#pragma unroll
    for (int s = 0; s < NS; ++s) {
      uc[s] = uf[s * own_stride + own];
      sum0[s] = sum1[s] = 0.0F;
    }
#pragma unroll 1
    for (int at = r * hp + odd * 8; at < (r + 1) * hp; at += 16) {
      float4 v[NS][2];
      float4* here = nullptr;
      if constexpr (kInShared)
        here = in_shared(reinterpret_cast<float4*>(l.h + unit * NS * 8 * hp + at));
      const auto place = [&](int s) {
        if constexpr (kInShared)
          return here + s * 2 * hp;
        else
          return reinterpret_cast<float4*>(states[s] + l.h_at + unit * 8 * hp + at);
      };
#pragma unroll
      for (int s = 0; s < NS; ++s) {
#pragma unroll
        for (int j = 0; j < 2; ++j) v[s][j] = kInShared ? place(s)[j] : passing.load(place(s) + j);
      }
      const float4* decay = reinterpret_cast<const float4*>(p + at);
      const float4* gain = reinterpret_cast<const float4*>(p + 8 * hp + at);
      const float4 d0 = decay[0];
      const float4 d1 = decay[1];
      const float4 g0 = gain[0];
      const float4 g1 = gain[1];
#pragma unroll
      for (int s = 0; s < NS; ++s) {
        update_modes(v[s][0], d0, g0, uc[s], sum0[s]);
        update_modes(v[s][1], d1, g1, uc[s], sum1[s]);
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
      if (real && odd == 0)
        store_act(y + s * act_stride + unit * 8 + r,
                  fmaf(D, uc[s], all) * zf[s * own_stride + own]);
    }
  }
}

}  // namespace mambo::cuda
