// A link of a chain (chain.cuh) for the shape that tier 0 of an audio model usually has, with
// everything known when it is compiled: width 64, d_inner 128, a window of 4, half storage, and 16
// states with dt_rank up to 4, or up to eight complex ones of a time-invariant tier. The sums are
// those of worker.cuh, bit for bit; what differs is where things are kept: the layers' matrices in
// shared memory, each lane's share of A, h, the convolution's window and all that belongs to a
// channel in registers for the whole launch (a warp owns the same 8 channels in every layer), and x
// also as halves and with its sums of squares, so that no warp has to convert it again.
//
// One CTA of 8 warps; warp w owns units w and w + 8: the first two lanes of a row take the channel
// of the one, the others that of the other. A layer is four phases, with a barrier after each (but
// after the last where x leaves for the next link):
//   in_proj  all warps, 8 mma each; then conv, silu, without leaving the warp
//   x_proj   warps 4 to 6, 8 mma each
//   scan     all warps: 16 channels x 2 lanes x 8 states
//   out_proj warps 0 to 3, 8 mma each, and the residual
// In a time-invariant tier nobody but its own two lanes wants a channel's u: in_proj and scan are
// one phase, and a layer has two; what is said of u and x_proj below is then unused.
// Weights come out of shared memory into registers a phase or more ahead, and while nobody waits
// for anything else there: all warps' part of in_proj takes it 256 cycles, and what is asked for
// behind that, even a shuffle, waits as long. So in_proj is read behind the scan's operands,
// out_proj by its warps while others do x_proj, x_proj by its own behind their part of in_proj.
// x goes on from its makers' registers to the next link's shared memory.
#pragma once

#include "kernels/cuda/step/pipeline.cuh"

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
  static constexpr int kTableBytes = kMaxVocab * kWidth * 2;  // the embedding or the head

  static constexpr int kOutWarps = kWidth / 16;                    // from warp 0 on
  static constexpr int kXWarps = kRows / 16, kFirstX = kOutWarps;  // behind them

  // x as it travels from link to link.
  struct X {
    float x[kWidth];
    __half half[kWidth];
    float squares[kWidth / 8];  // of eight neighbours each
  };

  struct Shared {
    X x;
    __half u[kInner], y[kInner];
    float dbc[kRows];
    float row[kWidth];          // x that joins a group, before up is added
    float logits[kMaxVocab];    // the last link's
    float factors[kMaxVocab];   // the first one's: what rms_factor is of each code's x
    std::uint32_t scratch[16];  // of a draw
    int drawn;
  };
};

// kModes: tier 0 is time-invariant.
template <bool kModes>
class ResidentStage {
 public:
  __device__ ResidentStage(const Launch& launch, unsigned char* shared, int r)
      : a(launch), role(launch.roles[r]), smem(shared) {
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
    first = r == 0;
    last = r == a.links - 1;
    const TierDev& t = a.net.tiers[0];
    pool = t.pool;
    joins = pool > 0 && t.down_end == role.end;
    inner_members = a.n_roles > a.links ? a.roles[a.links].members : 0;
    phase = a.tiers[0].phase;
    r8 = lane_id() >> 2;
    q = lane_id() & 3;
    odd = q & 1;
    second = q >= 2;
    channel = (warp_id() + (second ? kSharedWarps : 0)) * 8 + r8;
    my_code = warp_id() * 32 + q * 8 + r8;
    // Where a lane of out_proj puts its part of x: the first two of a row's lanes its floats, the
    // others, in every second row, halves of it and the next one.
    const int row = warp_id() * 16 + r8 + (odd != 0 ? 8 : 0);
    x_at = shared_address(second ? static_cast<void*>(s->x.half + row) : s->x.x + row);
    if (!last) {
      x_there = of_rank(x_at, r + 1);
      squares_there = of_rank(shared_address(s->x.squares + warp_id() * 2), r + 1);
      x_bar_there = of_rank(bar(kInX), r + 1);
    }
    puts = !second || r8 % 2 == 0;
    eps = a.net.eps;
    tap = args->tap;
    plain = plain_draw(args->temperature, args->top_k, args->top_p, kMaxVocab);
    scale = 1.44269504F / args->temperature;
    table = smem + (first ? role.embed : role.head);
    code_here = reinterpret_cast<const int*>(smem + role.layout.codes);
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
    if (joins) {
      for (int i = static_cast<int>(threadIdx.x); i < pool * Narrow::kWidth; i += kSharedThreads)
        up_place(0)[i] = args->state[t.up_at + i];
    }
    if (first) copy_far(table, a.net.embed, Narrow::kTableBytes, kSharedThreads);
    if (last) {
      copy_far(table, a.net.head, Narrow::kTableBytes, kSharedThreads);
      head_bias = a.net.head_bias[my_code];
      put_logit(args->state[a.net.logits_at + my_code]);
    }
    __syncthreads();
    if (first) {  // a code a thread
      static_assert(kMaxVocab == kSharedThreads);
      const __half2* x = reinterpret_cast<const __half2*>(embedding(threadIdx.x));
      alignas(16) float squares[8];
#pragma unroll
      for (int g = 0; g < 8; ++g) {
        float2 v[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) v[j] = __half22float2(x[g * 4 + j]);
        squares[g] = squares8(make_float4(v[0].x, v[0].y, v[1].x, v[1].y),
                              make_float4(v[2].x, v[2].y, v[3].x, v[3].y));
      }
      s->factors[threadIdx.x] = rms_factor(squares);
    }
    if (!last) fetch_in(0);  // the last link asks for it at every step
    __syncthreads();
  }

  __device__ void play() {
    if (count == 1) play_layers<1>();
    if (count == 2) play_layers<2>();
    if (count == 3) play_layers<3>();
  }

 private:
  template <int kCount>
  __device__ void play_layers() {
    static_assert(kCount <= Narrow::kMaxLayers);
    std::uint32_t phase_x = 0;
    u_next = random_number(0);
#pragma unroll 1
    for (int step = 0; step < a.steps; ++step) {
      if (last) {
        send_code(step);
        fetch_in(0);
      }
      int code = 0;
      if (first) {
        expect_and_wait(kInCode, 16, phase_x);
        code = *code_here;
      } else {
        expect_and_wait(kInX, sizeof(Narrow::X), phase_x);
      }
      phase_x ^= 1;
#pragma unroll
      for (int i = 0; i < kCount; ++i) layer(i, i + 1 == kCount, step, code);
      if (last && (a.drawing != 0 || step + 1 == a.steps)) head();
      if (pool > 0 && ++phase == static_cast<std::uint32_t>(pool)) {
        phase = 0;
        ++groups;
      }
    }
    // What is still on its way here must arrive before this CTA's memory goes.
    if (joins && phase == 0 && groups > 0) wait_up();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) keep_state(i);
    if (last)
      for (int i = static_cast<int>(threadIdx.x); i < a.net.vp; i += kSharedThreads)
        args->state[a.net.logits_at + i] = s->logits[i];
  }

  __device__ float random_number(int step) const {
    return philox_uniform(args->rng_seed, args->rng_index + static_cast<std::uint64_t>(step));
  }
  __device__ std::uint32_t bar(int i) const { return bar_at(smem, i); }
  __device__ void expect_and_wait(int which, std::uint32_t bytes, std::uint32_t parity) const {
    if (threadIdx.x == 0) bar_expect(bar(which), bytes);
    bar_wait(bar(which), parity);
    __syncwarp();  // what follows may be a product, which needs the whole warp
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
  __device__ const __half* embedding(int code) const {
    return reinterpret_cast<const __half*>(table) + code * Narrow::kWidth;
  }
  __device__ bool is_out_warp() const { return warp_id() < Narrow::kOutWarps; }
  __device__ bool is_x_warp() const {
    return warp_id() >= Narrow::kFirstX && warp_id() < Narrow::kFirstX + Narrow::kXWarps;
  }
  __device__ std::uint32_t slot(int step) const {
    return (a.tiers[0].slot + static_cast<std::uint32_t>(step)) % Narrow::kWindow;
  }

  __device__ void bring_layer(int i) {
    const LayerDev& d = dev(i);
    tap_at[i] = d.tap_at + static_cast<std::uint32_t>(channel);
    unsigned char* to = layers + i * Narrow::kLayerBytes;
    const auto copy = [&](int where, const void* from, int bytes) {
      copy_far(to + where, from, bytes, kSharedThreads);
    };
    copy(Narrow::kIn, d.in_proj, 2 * Narrow::kInner * Narrow::kWidth * 2);
    if (!kModes) copy(Narrow::kX, d.x_proj, Narrow::kRows * Narrow::kInner * 2);
    copy(Narrow::kOut, d.out_proj, Narrow::kWidth * Narrow::kInner * 2);
    copy(Narrow::kOutBias, d.out_bias, Narrow::kWidth * 4);
    const int N = Narrow::kStates;
    const float* record = d.unit + channel / 8 * d.unit_floats + 8 * N;  // network.h
    const float* rest = record + 8 * (kModes ? N : Narrow::kRank) + r8;
    if constexpr (kModes) {
#pragma unroll
      for (int j = 0; j < 2; ++j)
        gains[i][j] = *reinterpret_cast<const float4*>(record + r8 * N + odd * 8 + j * 4);
    } else {
      dt_ws[i] = *reinterpret_cast<const float4*>(record + r8 * Narrow::kRank);
    }
    convs[i] = make_float4(rest[16], rest[24], rest[32], rest[40]);
    // Biases of u, of z, of conv, of dt (or delta, where it is constant).
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

  __device__ float rms_factor(const float* squares) const {
    const float4 a0 = reinterpret_cast<const float4*>(squares)[0];
    const float4 a1 = reinterpret_cast<const float4*>(squares)[1];
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
  // Of the head a warp has the two tiles of its 32 codes.
  __device__ void fetch_head() {
    const auto* w = reinterpret_cast<const uint4*>(table) + warp_id() * 256 + lane_id();
#pragma unroll
    for (int n = 0; n < 8; ++n) in[n / 4][n % 4] = w[n * 32];
  }
  // The warp's tile of x_proj or out_proj.
  __device__ void fetch_wide(int i, int where, int tile) {
    const uint4* w = tiles(i, where, tile, 4);
#pragma unroll
    for (int n = 0; n < 8; ++n) wide[n] = w[n * 32];
  }

  // On entry x is complete (in the first link's layer 0: the code's row of the table) and `in`
  // holds the warp's part of in_proj; so on return, or x is on its way to the next link. ends: it
  // is the link's last layer.
  __device__ void layer(int i, bool ends, int step, int code) {
    const bool embeds = i == 0 && first;  // x is the code's row of the table
    const bool sends = ends && !last;
    float2 base{};
    float u;
    float gate;
    {  // in_proj, conv, silu
      float both[Narrow::kUnits][4];
      const __half* x = embeds ? embedding(code) : s->x.half;
#pragma unroll
      for (int j = 0; j < Narrow::kUnits; ++j) product64(in[j], x, both[j]);
      const float4& bias = biases[i];
      const float4& conv = convs[i];
      float factor = rms_factor(s->x.squares);
      if (i == 0) {
        const float of_code = s->factors[code];
        factor = first ? of_code : factor;
      }
      if constexpr (kModes) {
        if (is_out_warp()) {
          base = addends(i, embeds, code);
          __syncwarp();
          fetch_wide(i, Narrow::kOut, warp_id());
        }
      } else {
        if (is_x_warp()) fetch_wide(i, Narrow::kX, warp_id() - Narrow::kFirstX);
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
      // By both lanes of a channel: a shuffle would take longer, behind the weights.
      u = silu(sum);
      gate = silu(z);
      if (!kModes && odd == 0) store_act(&s->u[channel], u);
    }
    __half* const y = y_of(step);
    if constexpr (kModes)
      scan_modes(i, step, u, gate, y);
    else
      base = x_proj_and_scan(i, ends, step, code, u, gate);
    __syncthreads();
    // in_proj's weights: of most warps while others multiply, of these at last, not to be in the
    // way of what they read and shuffle. (Asked for together with out_proj's weights they made a
    // sample 6.4 us instead of 5.9.)
    if (kModes && !is_out_warp()) fetch_next(i, ends, sends);
    if (is_out_warp()) {
      out_proj(base, y, ends && joins, sends);
      if (kModes) fetch_next(i, ends, sends);
    }
    // Where x has left, warps may run ahead to the next step's wait, no further: that ends when
    // code or x of that step is here, which takes the last byte of this step's x down the chain,
    // and behind their last bytes warps 0 to 3 read nothing but weights.
    if (!sends || joins) __syncthreads();
    if (ends && joins) send_row();
  }

  // Where a step's y is put. With two phases a layer only the chain's order stands between what is
  // read of one step's last y and the next step's first, which racecheck does not see: so steps
  // take turns, in the place of u, which nobody wants there.
  __device__ __half* y_of(int step) const { return kModes && step % 2 != 0 ? s->u : s->y; }

  // in_proj's weights of the layer to come, or the head's.
  __device__ void fetch_next(int i, bool ends, bool sends) {
    if (sends || !ends)
      fetch_in(ends ? 0 : i + 1);
    else
      fetch_head();
  }

  // Bias and residual of this lane's rows of x.
  __device__ float2 addends(int i, bool embeds, int code) const {
    const int row = warp_id() * 16 + r8;
    const float* bias =
        reinterpret_cast<const float*>(layers + i * Narrow::kLayerBytes + Narrow::kOutBias);
    if (embeds) {
      const __half* x = embedding(code);
      return make_float2(bias[row] + __half2float(x[row]),
                         bias[row + 8] + __half2float(x[row + 8]));
    }
    return make_float2(bias[row] + s->x.x[row], bias[row + 8] + s->x.x[row + 8]);
  }

  __device__ void scan_modes(int i, int step, float u, float gate, __half* y) {
    float sums[2] = {};
#pragma unroll
    for (int j = 0; j < 2; ++j) update_modes(h[i][j], A[i][j], gains[i][j], u, sums[j]);
    float all = sums[0] + sums[1];
    all += __shfl_xor_sync(0xFFFFFFFFU, all, 1);
    const float value = fmaf(Ds[i], u, all) * gate;
    if (odd == 0) store_act(&y[channel], value);
    if (tap != nullptr && odd == 0)
      tap[tap_at[i] + static_cast<std::uint32_t>(step * Narrow::kInner)] = biases[i].w;
  }

  // Returns what out_proj adds.
  __device__ float2 x_proj_and_scan(int i, bool ends, int step, int code, float u, float gate) {
    const bool embeds = i == 0 && first;
    const bool sends = ends && !last;
    __syncthreads();
    float2 base{};
    if (is_x_warp()) {
      float c[4];
      product128(wide, s->u, c);
      if (q == 0) {
        s->dbc[(warp_id() - Narrow::kFirstX) * 16 + r8] = c[0];
        s->dbc[(warp_id() - Narrow::kFirstX) * 16 + 8 + r8] = c[2];
      }
    } else if (is_out_warp()) {
      base = addends(i, embeds, code);
      fetch_wide(i, Narrow::kOut, warp_id());
    }
    __syncthreads();
    {  // delta, scan, gate
      const float4* B = reinterpret_cast<const float4*>(s->dbc + 16 + odd * 8);
      const float4* C = reinterpret_cast<const float4*>(s->dbc + 32 + odd * 8);
      const float4 low = *reinterpret_cast<const float4*>(s->dbc);
      const float4 Bs[2] = {B[0], B[1]};
      const float4 Cs[2] = {C[0], C[1]};
      __syncwarp();  // none of them behind the weights
      fetch_next(i, ends, sends);
      __syncwarp();
      const float dt = biases[i].w + dot4(dt_ws[i], low);
      const float delta = softplus(dt);
      const float du = delta * u;
      float sums[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float4& a4 = A[i][j];
        const float4& b = Bs[j];
        const float4& cc = Cs[j];
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
      if (odd == 0) store_act(&s->y[channel], value);
      if (tap != nullptr && odd == 0)
        tap[tap_at[i] + static_cast<std::uint32_t>(step * Narrow::kInner)] = delta;
    }
    return base;
  }

  // And the residual; where it joins a group, up, whose rows begin a phase before they are needed.
  __device__ void out_proj(const float2& base, const __half* y, bool joining, bool sends) {
    const int row = warp_id() * 16 + r8;
    float up_lo = 0.0F;
    float up_hi = 0.0F;
    if (joining) {
      if (phase == 0 && groups > 0) wait_up();
      const float* from = up_place(groups & 1) + static_cast<int>(phase) * Narrow::kWidth + row;
      up_lo = from[0];
      up_hi = from[8];
    }
    float c[4];
    product128(wide, y, c);
    float lo = c[0] + base.x;
    float hi = c[2] + base.y;
    if (joining) {
      if (!second) s->row[row + (odd != 0 ? 8 : 0)] = odd != 0 ? hi : lo;
      lo += up_lo;
      hi += up_hi;
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

  __device__ void wait_up() const {
    expect_and_wait(kInUp + (groups & 1), static_cast<std::uint32_t>(pool * Narrow::kWidth) * 4U,
                    static_cast<std::uint32_t>((groups - 1) >> 1) & 1U);
  }

  // The row that joins the group: to the inner group, and to the state.
  __device__ void send_row() const {
    constexpr int kChunks = Narrow::kWidth / 4;
    const int i = static_cast<int>(threadIdx.x);
    const int at_row = static_cast<int>(phase) * Narrow::kWidth;
    if (i < inner_members * kChunks) {
      const uint4 row = reinterpret_cast<const uint4*>(s->row)[i % kChunks];
      const int buffer = groups & 1;
      const std::uint32_t to = inbox + static_cast<std::uint32_t>(buffer * pool * Narrow::kWidth +
                                                                  at_row + i % kChunks * 4) *
                                           4U;
      const int peer = links + i / kChunks;
      store_async(of_rank(to, peer), row, of_rank(bar(kInRows + buffer), peer));
    }
    if (i < Narrow::kWidth) state_row[at_row + i] = s->row[i];
  }

  __device__ void head() {
    const float factor = rms_factor(s->x.squares);
    float c[2][4];
#pragma unroll
    for (int j = 0; j < 2; ++j) product64(in[j], s->x.half, c[j]);
    // Of a tile's rows r8 and r8 + 8 a row's lanes all have the sums.
    const float lo = second ? c[1][0] : c[0][0];
    const float hi = second ? c[1][2] : c[0][2];
    put_logit(fmaf(odd != 0 ? hi : lo, factor, head_bias));
    __syncthreads();
  }
  __device__ void put_logit(float v) {
    logit = v;
    s->logits[my_code] = v;
    const float top = warp_max(v == v ? v : -3e38F);  // as draw has it of a NaN
    if (lane_id() == 0) s->scratch[warp_id()] = __float_as_uint(top);
  }

  // The last link draws, and tells the first; what was drawn is also looked at, but later.
  __device__ void send_code(int step) {
    if (a.drawing == 0) {
      if (threadIdx.x == 0) send(args->forced[step]);
      return;
    }
    const bool told =
        args->log_prob != nullptr || args->entropy != nullptr || args->logits != nullptr;
    if (plain) {
      if (draw_by_quads(logit, scale, u_next, s->scratch)) keep_code(my_code, step);
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
  unsigned char* table;  // the first link's embedding, the last one's head
  const int* code_here;
  int count, pool, inner_members, groups = 0;
  std::uint32_t phase;
  bool first, last;
  bool joins;  // x joins a group behind the last layer
  bool plain;  // how codes are drawn (plain_draw)
  bool puts;
  int r8, q, odd, channel, my_code;
  bool second;
  float eps;
  float *tap, *up, *state_row;
  std::uint32_t code_there, inbox, x_at, x_there = 0, squares_there = 0, x_bar_there = 0;
  int links;
  float u_next = 0.0F;  // the next random number
  float scale, logit = 0.0F, head_bias = 0.0F;
  // 8 states of a channel, or four complex ones: A is their decay.
  float4 A[Narrow::kMaxLayers][2], h[Narrow::kMaxLayers][2];
  float4 gains[kModes ? Narrow::kMaxLayers : 1][2];
  float window[Narrow::kMaxLayers][3];
  float4 biases[Narrow::kMaxLayers], convs[Narrow::kMaxLayers], dt_ws[Narrow::kMaxLayers];
  float Ds[Narrow::kMaxLayers];
  std::uint32_t tap_at[Narrow::kMaxLayers];
  uint4 in[Narrow::kUnits][4];  // in_proj's, or the head's
  uint4 wide[8];                // x_proj's or out_proj's
};

}  // namespace mambo::cuda
