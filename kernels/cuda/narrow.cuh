// A link of a chain (chain.cuh) for the shape that tier 0 of an audio model usually has, with
// everything known when it is compiled: width 64, d_inner 128, 16 states, a window of 4, dt_rank up
// to 4, half storage. The sums are those of worker.cuh, bit for bit; what differs is where things
// are kept: the layers' matrices in shared memory, each lane's share of A, h, the convolution's
// window and all that belongs to a channel in registers for the whole launch (a warp owns the same
// 8 channels in every layer), and x also as halves and with its sums of squares, so that no warp
// has to convert it again.
//
// One CTA of 8 warps; warp w owns units w and w + 8: the first two lanes of a row take the channel
// of the one, the others that of the other. A layer is four phases with a barrier after each:
//   in_proj  all warps, 8 mma each; then conv, silu, without leaving the warp
//   x_proj   3 warps, 8 mma each
//   scan     all warps: 16 channels x 2 lanes x 8 states
//   out_proj 4 warps, 8 mma each, and the residual
// Weights come out of shared memory into registers a phase ahead.
#pragma once

#include "kernels/cuda/chain.cuh"

namespace mambo::cuda {

struct Narrow {
  static constexpr int kWidth = 64, kInner = 128, kStates = 16, kWindow = 4, kRank = 4, kRows = 48;
  static constexpr int kUnits = kInner / 8 / kSharedWarps;  // of a warp
  // Four pairs of tiles have a running sum each: by itself or added to it, a pair is the same.
  static_assert(kInner <= 128);
  static constexpr int kMaxLayers = 3;  // of a link: as many as fit its shared memory

  // What a layer keeps in shared memory, in bytes from its start.
  static constexpr int kIn = 0;
  static constexpr int kX = kIn + 2 * kInner * kWidth * 2;
  static constexpr int kOut = kX + kRows * kInner * 2;
  static constexpr int kOutBias = kOut + kWidth * kInner * 2;
  static constexpr int kLayerBytes = kOutBias + kWidth * 4;

  // x as it travels from link to link.
  struct X {
    float x[kWidth];
    __half half[kWidth];
    float squares[kWidth / 8];  // of eight neighbours each
  };
  static constexpr int kXChunks = sizeof(X) / 16;

  struct Shared {
    X x;
    __half u[kInner], y[kInner];
    float dbc[kRows];
    float logits[kMaxVocab];
    float head_bias[kMaxVocab];
    std::uint32_t scratch[16];  // of a draw
    int drawn;
    std::uint32_t tap_at[kMaxLayers];
  };
};

class NarrowLink {
 public:
  __device__ NarrowLink(const Launch& launch, unsigned char* shared, int r)
      : a(launch), role(launch.roles[r]), smem(shared), rank(r) {
    s = reinterpret_cast<Narrow::Shared*>(smem + role.layout.x);
    layers = smem + role.layout.u;
    const StreamArgs* from = launch.streams;
    args = reinterpret_cast<StreamArgs*>(smem + role.layout.args);
    if (threadIdx.x < sizeof(StreamArgs) / 16)
      reinterpret_cast<uint4*>(args)[threadIdx.x] =
          reinterpret_cast<const uint4*>(from)[threadIdx.x];
    __syncthreads();
    count = role.end - role.begin;
    links = a.links;
    first = rank == 0;
    last = rank == a.links - 1;
    const TierDev& t = a.net.tiers[0];
    pool = t.pool;
    join_after = pool > 0 ? t.down_end - 1 - role.begin : -1;  // of this link's layers
    if (join_after >= count) join_after = -1;
    inner_members = a.n_roles > a.links ? a.roles[a.links].members : 0;
    phase = a.tiers[0].phase;
    r8 = lane_id() >> 2;
    q = lane_id() & 3;
    odd = q & 1;
    second = q >= 2;
    channel = (warp_id() + (second ? kSharedWarps : 0)) * 8 + r8;
    eps = a.net.eps;
    tap = args->tap;
    codes_at = role.layout.codes;
    code_there = shared_address(smem + launch.roles[0].layout.codes);
    up = reinterpret_cast<float*>(smem + role.layout.up[0]);
    state_row = args->state + t.group_at;
    inbox = inner_members > 0 ? shared_address(smem + launch.roles[launch.links].layout.inbox) : 0;
  }

  __device__ void set_up() {
#pragma unroll
    for (int i = 0; i < Narrow::kMaxLayers; ++i)
      if (i < count) bring_layer(i);
    const TierDev& t = a.net.tiers[0];
    if (join_after >= 0) {
      for (int i = static_cast<int>(threadIdx.x); i < pool * Narrow::kWidth; i += kSharedThreads)
        up_place(0)[i] = args->state[t.up_at + i];
    }
    // The last link's head, or the first one's table of codes, stays in registers: a warp holds 32
    // rows of either.
    const auto* head = static_cast<const uint4*>(a.net.head);
    const auto* embed = static_cast<const std::uint32_t*>(a.net.embed);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      if (last) {
        keep[j / 4][j % 4] = head[(warp_id() * 8 + j) * 32 + lane_id()];
      } else if (first) {
        const std::uint32_t* row = embed + (warp_id() * 32 + j * 4) * (Narrow::kWidth / 2);
        keep[j / 4][j % 4] = make_uint4(row[lane_id()], row[32 + lane_id()], row[64 + lane_id()],
                                        row[96 + lane_id()]);
      }
    }
    if (last) {
      for (int i = static_cast<int>(threadIdx.x); i < kMaxVocab; i += kSharedThreads) {
        s->logits[i] = args->state[a.net.logits_at + i];
        s->head_bias[i] = a.net.head_bias[i];
      }
    }
    __syncthreads();
  }

  __device__ void play() {
    std::uint32_t phase_x = 0;
    u_next = random_number(0);
#pragma unroll 1
    for (int step = 0; step < a.steps; ++step) {
      if (last) send_code(step);
      fetch_in(0);
      if (first) {
        expect_and_wait(kInCode, 16, phase_x);
        embed_code();
      } else {
        expect_and_wait(kInX, sizeof(Narrow::X), phase_x);
      }
      phase_x ^= 1;
#pragma unroll
      for (int i = 0; i < Narrow::kMaxLayers; ++i) {
        if (i >= count) break;
        layer(i, step);
        if (i == join_after) join();
      }
      if (last) {
        if (a.drawing != 0 || step + 1 == a.steps) head();
      } else if (threadIdx.x < Narrow::kXChunks) {
        const auto* x = reinterpret_cast<const uint4*>(&s->x) + threadIdx.x;
        store_async(of_rank(shared_address(x), rank + 1), *x, of_rank(bar(kInX), rank + 1));
      }
      if (pool > 0 && ++phase == static_cast<std::uint32_t>(pool)) {
        phase = 0;
        ++groups;
      }
    }
    // What is still on its way here must arrive before this CTA's memory goes.
    if (join_after >= 0 && phase == 0 && groups > 0) wait_up();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Narrow::kMaxLayers; ++i)
      if (i < count) keep_state(i);
    if (last)
      for (int i = static_cast<int>(threadIdx.x); i < a.net.vp; i += kSharedThreads)
        args->state[a.net.logits_at + i] = s->logits[i];
  }

 private:
  __device__ float random_number(int step) const {
    return philox_uniform(args->rng_seed, args->rng_index + static_cast<std::uint64_t>(step));
  }
  __device__ std::uint32_t bar(int i) const { return bar_at(smem, i); }
  __device__ void expect_and_wait(int which, std::uint32_t bytes, std::uint32_t parity) const {
    if (threadIdx.x == 0) bar_expect(bar(which), bytes);
    bar_wait(bar(which), parity);
  }
  __device__ const LayerDev& dev(int i) const {
    const TierDev& t = a.net.tiers[0];
    const int ordinal = role.begin + i;
    return a.net.layers[ordinal < t.down_end ? ordinal : ordinal - t.down_end + t.up_begin];
  }
  __device__ float* up_place(int buffer) const { return up + buffer * pool * Narrow::kWidth; }
  __device__ const uint4* tiles(int i, int where, int tile, int pairs) const {
    return reinterpret_cast<const uint4*>(layers + i * Narrow::kLayerBytes + where) +
           tile * pairs * 64 + lane_id();
  }
  __device__ std::uint32_t slot(int step) const {
    return (a.tiers[0].slot + static_cast<std::uint32_t>(step)) % Narrow::kWindow;
  }

  __device__ void bring_layer(int i) {
    const LayerDev& d = dev(i);
    if (threadIdx.x == 0) s->tap_at[i] = d.tap_at;
    unsigned char* to = layers + i * Narrow::kLayerBytes;
    const auto copy = [&](int where, const void* from, int bytes) {
      copy_far(to + where, from, bytes, kSharedThreads);
    };
    copy(Narrow::kIn, d.in_proj, 2 * Narrow::kInner * Narrow::kWidth * 2);
    copy(Narrow::kX, d.x_proj, Narrow::kRows * Narrow::kInner * 2);
    copy(Narrow::kOut, d.out_proj, Narrow::kWidth * Narrow::kInner * 2);
    copy(Narrow::kOutBias, d.out_bias, Narrow::kWidth * 4);
    const int N = Narrow::kStates;
    const float* record = d.unit + channel / 8 * d.unit_floats + 8 * N;  // network.h
    const float* rest = record + 8 * Narrow::kRank + r8;
    dt_ws[i] = *reinterpret_cast<const float4*>(record + r8 * Narrow::kRank);
    convs[i] = make_float4(rest[16], rest[24], rest[32], rest[40]);
    // Biases of u, of z, of conv, of dt.
    biases[i] = make_float4(rest[0], rest[8], rest[48], rest[56]);
    Ds[i] = rest[64];
    const float* p = d.unit + channel / 8 * d.unit_floats + r8 * N + odd * 8;
    const float* state = args->state + d.h_at + channel * N + odd * 8;
    const float* ring = args->state + d.conv_at + channel;
    const std::uint32_t now = slot(0);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      A[i][j] = *reinterpret_cast<const float4*>(p + j * 4);
      h[i][j] = *reinterpret_cast<const float4*>(state + j * 4);
    }
#pragma unroll
    for (std::uint32_t k = 0; k < 3; ++k)
      window[i][k] = ring[(now + 1 + k) % Narrow::kWindow * Narrow::kInner];
  }

  __device__ void keep_state(int i) const {
    const LayerDev& d = dev(i);
    float* state = args->state + d.h_at + channel * Narrow::kStates + odd * 8;
#pragma unroll
    for (int j = 0; j < 2; ++j) *reinterpret_cast<float4*>(state + j * 4) = h[i][j];
    if (odd != 0) return;
    float* ring = args->state + d.conv_at + channel;
    const std::uint32_t now = slot(a.steps);  // of the step to come; the three before it are known
#pragma unroll
    for (std::uint32_t k = 0; k < 3; ++k)
      ring[(now + 1 + k) % Narrow::kWindow * Narrow::kInner] = window[i][k];
  }

  // x of 64 from values that the first 64 threads hold, with what travels beside it.
  __device__ void put_x(float v) {
    if (threadIdx.x >= Narrow::kWidth) return;
    s->x.x[threadIdx.x] = v;
    store_act(&s->x.half[threadIdx.x], v);
    float sum = __fmul_rn(v, v);
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 4);
    if (threadIdx.x % 8 == 0) s->x.squares[threadIdx.x / 8] = sum;
  }

  // The warp that keeps the code's row writes it out.
  __device__ void embed_code() {
    const int code = *reinterpret_cast<const int*>(smem + codes_at);
    if (warp_id() == code / 32) {
      std::uint32_t pair = 0;
#pragma unroll
      for (int j = 0; j < 32; ++j) {
        const uint4& four = keep[j / 16][j / 4 % 4];
        const std::uint32_t w = j % 4 == 0   ? four.x
                                : j % 4 == 1 ? four.y
                                : j % 4 == 2 ? four.z
                                             : four.w;
        if (code % 32 == j) pair = w;
      }
      const __half2 v = *reinterpret_cast<const __half2*>(&pair);
      const float2 f = __half22float2(v);
      reinterpret_cast<float2*>(s->x.x)[lane_id()] = f;
      reinterpret_cast<__half2*>(s->x.half)[lane_id()] = v;
      float sum = __fadd_rn(__fmul_rn(f.x, f.x), __fmul_rn(f.y, f.y));
      sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
      sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
      if (lane_id() % 4 == 0) s->x.squares[lane_id() / 4] = sum;
    }
    __syncthreads();
  }

  __device__ float rms_factor() const {
    const float4 a0 = reinterpret_cast<const float4*>(s->x.squares)[0];
    const float4 a1 = reinterpret_cast<const float4*>(s->x.squares)[1];
    const float sum = ((a0.x + a1.x) + (a0.y + a1.y)) + ((a0.z + a1.z) + (a0.w + a1.w));
    return inverse_root(fmaf(sum, 1.0F / Narrow::kWidth, eps));
  }

  // Two pairs of tiles: 64 columns.
  __device__ void product64(const uint4 (&w)[4], const __half* vector, float (&c)[4]) const {
    float acc[2][4] = {};
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      const uint4 b = *reinterpret_cast<const uint4*>(vector + p * 32 + q * 8);
      mma_16816(acc[p], w[2 * p], b.x, b.y);
      mma_16816(acc[p], w[2 * p + 1], b.z, b.w);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) c[i] = acc[0][i] + acc[1][i];
  }
  __device__ void product128(const uint4 (&w)[8], const __half* vector, float (&c)[4]) const {
    float acc[4][4] = {};
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      const uint4 b = *reinterpret_cast<const uint4*>(vector + p * 32 + q * 8);
      mma_16816(acc[p], w[2 * p], b.x, b.y);
      mma_16816(acc[p], w[2 * p + 1], b.z, b.w);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) c[i] = (acc[0][i] + acc[1][i]) + (acc[2][i] + acc[3][i]);
  }

  __device__ void fetch_in(int i) {
#pragma unroll
    for (int j = 0; j < Narrow::kUnits; ++j) {
      const uint4* w = tiles(i, Narrow::kIn, warp_id() + j * kSharedWarps, 2);
#pragma unroll
      for (int n = 0; n < 4; ++n) in[j][n] = w[n * 32];
    }
  }

  // x is complete on entry and on return, and `in` holds the layer's part of in_proj.
  __device__ void layer(int i, int step) {
    float c[4];
    float u;
    float gate;
    const bool rows = warp_id() < Narrow::kRows / 16;
    uint4 wide[8];
    {  // in_proj, conv, silu
      float both[Narrow::kUnits][4];
#pragma unroll
      for (int j = 0; j < Narrow::kUnits; ++j) product64(in[j], s->x.half, both[j]);
      const float4& bias = biases[i];
      const float4& conv = convs[i];
      const float factor = rms_factor();
      if (rows) {
        const uint4* w = tiles(i, Narrow::kX, warp_id(), 4);
#pragma unroll
        for (int n = 0; n < 8; ++n) wide[n] = w[n * 32];
      }
      const float before = fmaf(second ? both[1][0] : both[0][0], factor, bias.x);
      const float z = fmaf(second ? both[1][2] : both[0][2], factor, bias.y);
      float(&past)[3] = window[i];
      float sum = fmaf(conv.x, past[0], bias.z);
      sum = fmaf(conv.y, past[1], sum);
      sum = fmaf(conv.z, past[2], sum);
      sum = fmaf(conv.w, before, sum);
      past[0] = past[1];
      past[1] = past[2];
      past[2] = before;
      // Even lanes take u, odd ones the gate.
      const float mine = silu(odd != 0 ? z : sum);
      const float other = __shfl_xor_sync(0xFFFFFFFFU, mine, 1);
      u = odd != 0 ? other : mine;
      gate = odd != 0 ? mine : other;
      if (odd == 0) store_act(&s->u[channel], u);
    }
    __syncthreads();
    if (rows) {  // x_proj
      product128(wide, s->u, c);
      if (q == 0) {
        s->dbc[warp_id() * 16 + r8] = c[0];
        s->dbc[warp_id() * 16 + 8 + r8] = c[2];
      }
    }
    __syncthreads();
    {  // delta, scan, gate
      const float dt = biases[i].w + dot4(dt_ws[i], *reinterpret_cast<const float4*>(s->dbc));
      const float4* B = reinterpret_cast<const float4*>(s->dbc + 16 + odd * 8);
      const float4* C = reinterpret_cast<const float4*>(s->dbc + 32 + odd * 8);
      const float delta = softplus(dt);
      const float du = delta * u;
      float sums[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float4& a4 = A[i][j];
        const float4 b = B[j];
        const float4 cc = C[j];
        float4 v = h[i][j];
        v.x = fmaf(exp2_fast(delta * a4.x), v.x, du * b.x);
        v.y = fmaf(exp2_fast(delta * a4.y), v.y, du * b.y);
        v.z = fmaf(exp2_fast(delta * a4.z), v.z, du * b.z);
        v.w = fmaf(exp2_fast(delta * a4.w), v.w, du * b.w);
        h[i][j] = v;
        sums[j] = fmaf(cc.w, v.w, fmaf(cc.z, v.z, fmaf(cc.y, v.y, fmaf(cc.x, v.x, 0.0F))));
      }
      // As quad_sum of four lanes of four states each.
      float all = sums[0] + sums[1];
      all += __shfl_xor_sync(0xFFFFFFFFU, all, 1);
      const float value = fmaf(Ds[i], u, all) * gate;
      if (odd == 0) {
        store_act(&s->y[channel], value);
        if (tap != nullptr)
          tap[s->tap_at[i] + static_cast<std::uint32_t>(step * Narrow::kInner + channel)] = delta;
      }
    }
    const bool out = warp_id() < Narrow::kWidth / 16;
    float2 base{};
    const int row = warp_id() * 16 + r8;
    if (out) {
      const uint4* w = tiles(i, Narrow::kOut, warp_id(), 4);
#pragma unroll
      for (int j = 0; j < 8; ++j) wide[j] = w[j * 32];
      const float* bias =
          reinterpret_cast<const float*>(layers + i * Narrow::kLayerBytes + Narrow::kOutBias);
      base = make_float2(bias[row] + s->x.x[row], bias[row + 8] + s->x.x[row + 8]);
    }
    if (i + 1 < Narrow::kMaxLayers && i + 1 < count) fetch_in(i + 1);
    __syncthreads();
    if (out) {  // out_proj, residual
      product128(wide, s->y, c);
      const float lo = c[0] + base.x;
      const float hi = c[2] + base.y;
      float a0 = __fmul_rn(lo, lo);
      float a1 = __fmul_rn(hi, hi);
#pragma unroll
      for (int x = 4; x < 32; x *= 2) {  // over the eight rows
        a0 += __shfl_xor_sync(0xFFFFFFFFU, a0, x);
        a1 += __shfl_xor_sync(0xFFFFFFFFU, a1, x);
      }
      if (q == 0) {
        s->x.x[row] = lo;
        s->x.x[row + 8] = hi;
        store_act(&s->x.half[row], lo);
        store_act(&s->x.half[row + 8], hi);
      }
      if (lane_id() == 0) {
        s->x.squares[warp_id() * 2] = a0;
        s->x.squares[warp_id() * 2 + 1] = a1;
      }
    }
    __syncthreads();
  }

  __device__ void wait_up() const {
    expect_and_wait(kInUp + (groups & 1), static_cast<std::uint32_t>(pool * Narrow::kWidth) * 4U,
                    static_cast<std::uint32_t>((groups - 1) >> 1) & 1U);
  }

  // x joins the group (a row to the inner group and to the state) and is joined by up.
  __device__ void join() {
    constexpr int kChunks = Narrow::kWidth / 4;
    const int i = static_cast<int>(threadIdx.x);
    const int at_row = static_cast<int>(phase) * Narrow::kWidth;
    const bool sends = i < inner_members * kChunks;
    uint4 row{};
    if (sends) row = reinterpret_cast<const uint4*>(s->x.x)[i % kChunks];
    if (phase == 0 && groups > 0) wait_up();
    __syncthreads();  // every row is read before x changes
    if (sends) {
      const int buffer = groups & 1;
      const std::uint32_t to = inbox + static_cast<std::uint32_t>(buffer * pool * Narrow::kWidth +
                                                                  at_row + i % kChunks * 4) *
                                           4U;
      const int peer = links + i / kChunks;
      store_async(of_rank(to, peer), row, of_rank(bar(kInRows + buffer), peer));
    }
    if (i < Narrow::kWidth) {
      const float v = s->x.x[i];
      state_row[at_row + i] = v;
      put_x(v + up_place(groups & 1)[at_row + i]);
    }
    __syncthreads();
  }

  __device__ void head() {
    const float factor = rms_factor();
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      float c[4];
      product64(keep[j], s->x.half, c);
      const int row = (warp_id() * 2 + j) * 16 + r8;
      if (q == 0) {
        s->logits[row] = fmaf(c[0], factor, s->head_bias[row]);
        s->logits[row + 8] = fmaf(c[2], factor, s->head_bias[row + 8]);
      }
    }
    __syncthreads();
  }

  // The last link draws, and tells the first; what was drawn is also looked at, but later.
  __device__ void send_code(int step) {
    if (a.drawing == 0) {
      if (threadIdx.x == 0) send(args->forced[step]);
      return;
    }
    const bool told =
        args->log_prob != nullptr || args->entropy != nullptr || args->logits != nullptr;
    if (plain_draw(args->temperature, args->top_k, args->top_p, kMaxVocab)) {
      if (draw_by_all(s->logits, args->temperature, u_next, s->scratch))
        keep_code(static_cast<int>(threadIdx.x), step);
    } else if (warp_id() == 0) {
      const int code = draw(s->logits, kMaxVocab, kMaxVocab, args->temperature, args->top_k,
                            args->top_p, u_next);
      if (lane_id() == 0) keep_code(code, step);
    }
    if (told) {
      __syncthreads();
      if (warp_id() == 0) tell(*args, s->logits, kMaxVocab, kMaxVocab, step, s->drawn);
      __syncthreads();
    }
    u_next = random_number(step + 1);  // ahead of its use
  }
  __device__ void keep_code(int code, int step) {
    send(code);
    s->drawn = code;
    args->codes[step] = static_cast<std::uint8_t>(code);
  }
  __device__ void send(int code) const {
    store_async(of_rank(code_there, 0), make_uint4(static_cast<std::uint32_t>(code), 0, 0, 0),
                of_rank(bar(kInCode), 0));
  }

  const Launch& a;
  const Role& role;
  unsigned char* smem;
  unsigned char* layers;
  Narrow::Shared* s;
  StreamArgs* args;
  int rank, count, pool, join_after, inner_members, groups = 0;
  std::uint32_t phase;
  bool first, last;
  int r8, q, odd, channel;
  bool second;
  float eps;
  float *tap, *up, *state_row;
  std::uint32_t codes_at, code_there, inbox;
  int links;
  float u_next = 0.0F;                                        // the next random number
  float4 A[Narrow::kMaxLayers][2], h[Narrow::kMaxLayers][2];  // 8 states of a channel
  float window[Narrow::kMaxLayers][3];
  float4 biases[Narrow::kMaxLayers], convs[Narrow::kMaxLayers], dt_ws[Narrow::kMaxLayers];
  float Ds[Narrow::kMaxLayers];
  uint4 in[Narrow::kUnits][4];
  uint4 keep[2][4];
};

}  // namespace mambo::cuda
