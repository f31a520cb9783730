// ResidentStage's layer: its weights, its phases, its state.
#pragma once

#include "kernels/cuda/step/stage_resident.cuh"

namespace mambo::cuda {

template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::bring_layer(int i) {
  const LayerDev& d = dev(i);
  tap_at[i] = d.tap_at + static_cast<std::uint32_t>(channel);
  if (kByHand && threadIdx.x == 0) s->by_hand[i] = args->by_hand + d.by_hand_at;
  unsigned char* to = layers + i * Shape::kLayerBytes;
  copy_far(to + Shape::kIn, d.in_proj, 2 * Shape::kInner * Shape::kWidth * 2);
  if (M::kSelective) copy_far(to + Shape::kX, d.x_proj, Shape::kRows * Shape::kInner * 2);
  copy_far(to + Shape::kOut, d.out_proj, Shape::kWidth * Shape::kInner * 2);
  copy_far(to + Shape::kOutBias, d.out_bias, Shape::kWidth * 4);
  constexpr int N = Shape::kStates;
  const float* record = d.records + channel / 8 * d.record_floats;
  const float* second_matrix = record + 8 * N;
  const float* rest = second_matrix + 8 * (M::kSelective ? Shape::kRank : N) + r8;
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const auto mine = [&](const float* matrix) {
      return *reinterpret_cast<const float4*>(matrix + r8 * N + odd * 8 + j * 4);
    };
    if constexpr (M::kSelective) {
      constants[i].A[j] = mine(record);
    } else {
      constants[i].decay[j] = mine(record);
      constants[i].gain[j] = mine(second_matrix);
    }
  }
  if constexpr (M::kSelective)
    constants[i].dt_w = *reinterpret_cast<const float4*>(second_matrix + r8 * Shape::kRank);
  convs[i] = make_float4(rest[16], rest[24], rest[32], rest[40]);
  biases[i] = make_float4(rest[0], rest[8], rest[48], rest[56]);
  Ds[i] = rest[64];
  const float* state = args->state + d.h_at + channel * N + odd * 8;
  const float* ring = args->state + d.conv_at + channel;
  const std::uint32_t now = slot(0);
#pragma unroll
  for (int j = 0; j < 2; ++j) h[i][j] = *reinterpret_cast<const float4*>(state + j * 4);
#pragma unroll
  for (std::uint32_t k = 0; k < 3; ++k)
    window[i][k] = ring[(now + 1 + k) % Shape::kWindow * Shape::kInner];
}

template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::keep_state(int i) const {
  const LayerDev& d = dev(i);
  float* state = args->state + d.h_at + channel * Shape::kStates + odd * 8;
#pragma unroll
  for (int j = 0; j < 2; ++j) *reinterpret_cast<float4*>(state + j * 4) = h[i][j];
  if (odd != 0) return;
  float* ring = args->state + d.conv_at + channel;
  const std::uint32_t now = slot(a.steps);  // of the step to come; the three before it are known
#pragma unroll
  for (std::uint32_t k = 0; k < 3; ++k)
    ring[(now + 1 + k) % Shape::kWindow * Shape::kInner] = window[i][k];
}

// kPairs pairs of tiles: 32 columns each.
template <StepMixer M, bool kByHand>
template <int kPairs>
__device__ void ResidentStage<M, kByHand>::product(const uint4 (&w)[2 * kPairs],
                                                   const __half* vector, float (&c)[4]) const {
  float acc[kPairs][4] = {};
#pragma unroll
  for (int p = 0; p < kPairs; ++p) {
    const uint4 b = *reinterpret_cast<const uint4*>(vector + p * 32 + q * 8);  // one load
    add_pair<false>(acc[p], w[2 * p], w[2 * p + 1], b);
  }
  combine(acc, c);
}

template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::fetch_in(int i) {
#pragma unroll
  for (int j = 0; j < Shape::kTiles; ++j) {
    const uint4* w = tiles(i, Shape::kIn, warp_id() + j * kWarps, 2);
#pragma unroll
    for (int n = 0; n < 4; ++n) in[j][n] = w[n * 32];
  }
}
// Of the head a warp has the two tiles of its 32 codes.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::fetch_head() {
  const auto* w = reinterpret_cast<const uint4*>(table) + warp_id() * 256 + lane_id();
#pragma unroll
  for (int n = 0; n < 8; ++n) in[n / 4][n % 4] = w[n * 32];
}
// The warp's tile of x_proj or out_proj.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::fetch_wide(int i, int where, int tile) {
  const uint4* w = tiles(i, where, tile, 4);
#pragma unroll
  for (int n = 0; n < 8; ++n) wide[n] = w[n * 32];
}
// in_proj's weights of the layer to come, or the head's.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::fetch_next(int i, bool ends, bool sends) {
  if (sends || !ends)
    fetch_in(ends ? 0 : i + 1);
  else
    fetch_head();
}

// On entry x is complete (in the first stage's layer 0: the code's row of the table) and `in` holds
// the warp's part of in_proj; so on return, or x is on its way to the next stage. ends: it is the
// stage's last layer.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::layer(int i, bool ends, int step, int code) {
  const bool embeds = i == 0 && first;  // x is the code's row of the table
  const bool sends = ends && !last;
  float2 base{};
  float u;
  float gate;
  {  // in_proj, conv, silu
    float both[Shape::kTiles][4];
    const __half* x = embeds ? embedding(code) : s->x.half;
#pragma unroll
    for (int j = 0; j < Shape::kTiles; ++j) product<2>(in[j], x, both[j]);
    const float4& bias = biases[i];
    float factor = rms_factor(s->x.squares);
    if (i == 0) {
      const float of_code = s->factors[code];
      factor = first ? of_code : factor;
    }
    if constexpr (M::kSelective) {
      if (is_x_warp()) fetch_wide(i, Shape::kX, warp_id() - Shape::kFirstX);
    } else if (is_out_warp()) {
      base = addends(i, embeds, code);
      __syncwarp();
      fetch_wide(i, Shape::kOut, warp_id());
    }
    const float now = fmaf(second ? both[1][0] : both[0][0], factor, bias.x);
    const float z = fmaf(second ? both[1][2] : both[0][2], factor, bias.y);
    float(&past)[3] = window[i];
    const float sum = convolve4(bias.z, convs[i], past, now);
    past[0] = past[1];
    past[1] = past[2];
    past[2] = now;
    // By both lanes of a channel: a shuffle would take longer, behind the weights.
    u = silu(sum);
    gate = silu(z);
    if (M::kSelective && odd == 0) store_act(&s->u[channel], u);
  }
  // Of S4D y is double-buffered by step parity (in u's place, which it does not use). The
  // pipeline's ordering already makes one buffer safe, but racecheck cannot see cross-CTA ordering.
  __half* const y = !M::kSelective && step % 2 != 0 ? s->u : s->y;
  if constexpr (M::kSelective)
    base = x_proj_and_scan(i, ends, step, code, u, gate);
  else
    scan(i, step, u, gate, y);
  __syncthreads();
  // S4D's next in_proj weights: most warps load them while others multiply, those others last,
  // where nothing that they read or shuffle waits behind it. (Loaded together with out_proj's
  // weights, a sample took 6.4 us instead of 5.9.)
  if (!M::kSelective && !is_out_warp()) fetch_next(i, ends, sends);
  if (is_out_warp()) {
    out_proj(base, y, ends && joins, sends);
    if (!M::kSelective) fetch_next(i, ends, sends);
  }
  // After the async store of x no CTA barrier is needed: warps may run ahead to step t + 1's
  // mbarrier wait. It completes only after every stage has received x of step t, and until then
  // warps 0-3 issue only weight loads, so no shared buffer is overwritten early.
  if (!sends || joins) __syncthreads();
  if (ends && joins) send_row();
}

// Bias and residual of this lane's rows of x.
template <StepMixer M, bool kByHand>
__device__ float2 ResidentStage<M, kByHand>::addends(int i, bool embeds, int code) const {
  const int row = warp_id() * 16 + r8;
  const float* bias =
      reinterpret_cast<const float*>(layers + i * Shape::kLayerBytes + Shape::kOutBias);
  if (embeds) {
    const __half* x = embedding(code);
    return make_float2(bias[row] + __half2float(x[row]), bias[row + 8] + __half2float(x[row + 8]));
  }
  return make_float2(bias[row] + s->x.x[row], bias[row + 8] + s->x.x[row + 8]);
}

// Of this lane's channel.
template <StepMixer M, bool kByHand>
__device__ ByHand ResidentStage<M, kByHand>::by_hand(int i, int step) const {
  ByHand hand;
  if constexpr (kByHand) {
    hand = ByHand::of<M>(s->by_hand[i], channel);
    if (args->said != nullptr)
      hand.said = args->said + tap_at[i] + static_cast<std::uint32_t>(step * Shape::kInner);
  }
  return hand;
}

// The end of the scan, from each lane's two sums: as quad_sum of four lanes of four states each.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::put_y(int i, int step, float delta, float sum0,
                                                 float sum1, float u, float gate, __half* y) const {
  float all = sum0 + sum1;
  all += __shfl_xor_sync(0xFFFFFFFFU, all, 1);
  if constexpr (!M::kSelective) all = M::read(all, by_hand(i, step));
  const float value = fmaf(Ds[i], u, all) * gate;
  if (odd == 0) store_act(&y[channel], value);
  if (tap != nullptr && odd == 0)
    tap[tap_at[i] + static_cast<std::uint32_t>(step * Shape::kInner)] = delta;
}

// S4D's.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::scan(int i, int step, float u, float gate, __half* y) {
  if constexpr (!M::kSelective) {
    float sums[2] = {};
#pragma unroll
    for (int j = 0; j < 2; ++j)
      M::update(h[i][j], constants[i].decay[j], constants[i].gain[j], u, sums[j]);
    if (float* said = by_hand(i, step).said; said != nullptr) *said = biases[i].w;
    put_y(i, step, biases[i].w, sums[0], sums[1], u, gate, y);
  }
}

// S6's. Returns what out_proj adds.
template <StepMixer M, bool kByHand>
__device__ float2 ResidentStage<M, kByHand>::x_proj_and_scan(int i, bool ends, int step, int code,
                                                             float u, float gate) {
  float2 base{};
  if constexpr (M::kSelective) {
    const bool embeds = i == 0 && first;
    const bool sends = ends && !last;
    const ByHand hand = by_hand(i, step);
    __syncthreads();
    if (is_x_warp()) {
      float gain[2], offset[2];  // of rows r8 and r8 + 8
      if constexpr (kByHand) {
        static_assert(Shape::kRows == Shape::kXWarps * 16);
        const float* rows =
            s->by_hand[i] + kByHandHead + Shape::kInner + (warp_id() - Shape::kFirstX) * 16 + r8;
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          gain[j] = rows[8 * j];
          offset[j] = rows[Shape::kRows + 8 * j];
        }
      }
      float c[4];
      product<4>(wide, s->u, c);
      if constexpr (kByHand) {
        c[0] = fmaf(gain[0], c[0], offset[0]);
        c[2] = fmaf(gain[1], c[2], offset[1]);
      }
      if (q == 0) {
        s->dbc[(warp_id() - Shape::kFirstX) * 16 + r8] = c[0];
        s->dbc[(warp_id() - Shape::kFirstX) * 16 + 8 + r8] = c[2];
      }
    } else if (is_out_warp()) {
      base = addends(i, embeds, code);
      fetch_wide(i, Shape::kOut, warp_id());
    }
    __syncthreads();
    const float4* B = reinterpret_cast<const float4*>(s->dbc + 16 + odd * 8);
    const float4* C = reinterpret_cast<const float4*>(s->dbc + 32 + odd * 8);
    const float4 low_rank = *reinterpret_cast<const float4*>(s->dbc);
    const float4 Bs[2] = {B[0], B[1]};
    const float4 Cs[2] = {C[0], C[1]};
    __syncwarp();  // none of them behind the weights
    fetch_next(i, ends, sends);
    __syncwarp();
    const float low_rank_product = biases[i].w + dot4(constants[i].dt_w, low_rank);
    const float delta = M::delta(low_rank_product, hand);
    const float du = delta * u;
    float sums[2] = {};
#pragma unroll
    for (int j = 0; j < 2; ++j)
      M::update(h[i][j], constants[i].A[j], Bs[j], Cs[j], delta, du, sums[j]);
    put_y(i, step, delta, sums[0], sums[1], u, gate, s->y);
  }
  return base;
}

// And the residual; where it joins a group, the skip, which is there a phase before it is needed.
template <StepMixer M, bool kByHand>
__device__ void ResidentStage<M, kByHand>::out_proj(const float2& base, const __half* y,
                                                    bool joining, bool sends) {
  const int row = warp_id() * 16 + r8;
  float skip_lo = 0.0F;
  float skip_hi = 0.0F;
  if (joining) {
    if (phase == 0 && groups > 0) wait_skip();
    const float* from = skip_of(groups & 1) + static_cast<int>(phase) * Shape::kWidth + row;
    skip_lo = from[0];
    skip_hi = from[8];
  }
  float c[4];
  product<4>(wide, y, c);
  float lo = c[0] + base.x;
  float hi = c[2] + base.y;
  if (joining) {
    if (!second) s->row[row + (odd != 0 ? 8 : 0)] = odd != 0 ? hi : lo;
    lo += skip_lo;
    hi += skip_hi;
  }
  // Of the next row, or the one before.
  const float lo2 = __shfl_xor_sync(0xFFFFFFFFU, lo, 4);
  const float hi2 = __shfl_xor_sync(0xFFFFFFFFU, hi, 4);
  const float mine = odd != 0 ? hi : lo;
  const std::uint32_t v = second ? pack_half2(mine, odd != 0 ? hi2 : lo2) : __float_as_uint(mine);
  float a0 = __fadd_rn(__fmul_rn(lo, lo), __fmul_rn(lo2, lo2));
  float a1 = __fadd_rn(__fmul_rn(hi, hi), __fmul_rn(hi2, hi2));
  if (puts) {
    if (sends)
      store_async(x_there, v, x_bar_there);
    else
      store_shared(x_at, v);
  }
#pragma unroll
  for (int x = 8; x < 32; x *= 2) {  // over the eight rows
    a0 += __shfl_xor_sync(0xFFFFFFFFU, a0, x);
    a1 += __shfl_xor_sync(0xFFFFFFFFU, a1, x);
  }
  if (lane_id() == 0) {
    if (sends)
      store_async(squares_there, a0, a1, x_bar_there);
    else
      *reinterpret_cast<float2*>(s->x.squares + warp_id() * 2) = make_float2(a0, a1);
  }
}

}  // namespace mambo::cuda
