// A stage of the pipeline (pipeline.cuh) for the shape of ResidentShape, with everything known at
// compile time. The sums are those of LayerStep, bit for bit; what differs is where things are
// kept: the layers' matrices in shared memory; each lane's share of the mixer's constants, h, the
// convolution's window and all that belongs to a channel in registers for the whole launch (a warp
// owns the same 16 channels in every layer); and x also as halves and with its sums of squares, so
// that no warp converts it again.
//
// One CTA of 8 warps; warp w owns channel tiles w and w + 8: the first two lanes of a row take the
// channel of the one, the others that of the other. A layer of S6 is four phases, with a barrier
// after each (but after the last, where x leaves for the next stage):
//   in_proj  all warps, 8 mma each; then conv, silu, without leaving the warp
//   x_proj   warps 4 to 6, 8 mma each
//   scan     all warps: 16 channels x 2 lanes x 8 states
//   out_proj warps 0 to 3, 8 mma each, and the residual
// Of S4D only a channel's own two lanes need its u: in_proj and scan are one phase, and a layer has
// two.
//
// Weights are loaded from shared memory into registers a phase or more ahead, and only while
// nothing else is waiting for shared memory: all warps' part of in_proj takes it 256 cycles, and
// whatever is issued behind that, even a shuffle, waits as long. So in_proj is loaded behind the
// scan's operands, out_proj by its warps while others do x_proj, x_proj by its own behind their
// part of in_proj. x goes from its producers' registers to the next stage's shared memory.
//
// resident_layer.cuh has the phases of a layer, this file what is around them.
#pragma once

#include "kernels/cuda/step/mixer_s4d.cuh"
#include "kernels/cuda/step/mixer_s6.cuh"
#include "kernels/cuda/step/pipeline.cuh"
#include "kernels/cuda/step/resident_layout.cuh"
#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {

template <StepMixer M, bool kByHand>
class ResidentStage {
 public:
  __device__ ResidentStage(const Launch& launch, unsigned char* shared, int r)
      : a(launch), role(launch.roles[r]), smem(shared) {
    s = reinterpret_cast<Shape::Shared*>(smem + role.layout.x);
    layers = smem + role.layout.u;
    const StreamArgs* from = launch.streams;
    args = reinterpret_cast<StreamArgs*>(smem + role.layout.args);
    if (threadIdx.x < sizeof(StreamArgs) / 16)
      reinterpret_cast<uint4*>(args)[threadIdx.x] =
          reinterpret_cast<const uint4*>(from)[threadIdx.x];
    __syncthreads();
    count = role.end - role.begin;
    stages = a.stages;
    first = r == 0;
    last = r == a.stages - 1;
    const TierDev& t = a.net.tiers[0];
    pool = t.pool;
    joins = pool > 0 && t.down_end == role.end;
    inner_members = a.n_roles > a.stages ? a.roles[a.stages].members : 0;
    phase = a.tiers[0].phase;
    r8 = lane_id() >> 2;
    q = lane_id() & 3;
    odd = q & 1;
    second = q >= 2;
    channel = (warp_id() + (second ? kWarps : 0)) * 8 + r8;
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
    plain = plain_draw(args->temperature, truncation(*args), kMaxVocab);
    scale = 1.44269504F / args->temperature;
    table = smem + (first ? role.embed : role.head);
    code_here = reinterpret_cast<const int*>(smem + role.layout.codes);
    code_there = shared_address(smem + launch.roles[0].layout.codes);
    skip = reinterpret_cast<float*>(smem + role.layout.skip[0]);
    pool_buffer = args->state + t.pool_buffer_at;
    inbox = inner_members > 0 ? shared_address(smem + launch.roles[launch.stages].layout.inbox) : 0;
  }

  __device__ void set_up() {
#pragma unroll
    for (int i = 0; i < Shape::kMaxLayers; ++i)
      if (i < count) bring_layer(i);
    const TierDev& t = a.net.tiers[0];
    if (joins) {
      for (int i = static_cast<int>(threadIdx.x); i < pool * Shape::kWidth; i += kThreads)
        skip_of(0)[i] = args->state[t.skip_at + i];
    }
    if (first) copy_far(table, a.net.embed, Shape::kTableBytes);
    if (last) {
      copy_far(table, a.net.head, Shape::kTableBytes);
      head_bias = a.net.head_bias[my_code];
      put_logit(args->state[a.net.logits_at + my_code]);
    }
    __syncthreads();
    if (first) {  // one code per thread
      static_assert(kMaxVocab == kThreads);
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
    if (!last) fetch_in(0);  // the last stage prefetches it at every step
    __syncthreads();
  }

  __device__ void play() {
    if (count == 1) play_layers<1>();
    if (count == 2) play_layers<2>();
    if (count == 3) play_layers<3>();
  }

 private:
  using Shape = ResidentShape;

  template <int kCount>
  __device__ void play_layers() {
    static_assert(kCount <= Shape::kMaxLayers);
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
        expect_and_wait(kInX, sizeof(Shape::X), phase_x);
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
    if (joins && phase == 0 && groups > 0) wait_skip();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) keep_state(i);
    if (last)
      for (int i = static_cast<int>(threadIdx.x); i < a.net.vp; i += kThreads)
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
  __device__ float* skip_of(int buffer) const { return skip + buffer * pool * Shape::kWidth; }
  __device__ const uint4* tiles(int i, int where, int tile, int pairs) const {
    return reinterpret_cast<const uint4*>(layers + i * Shape::kLayerBytes + where) +
           tile * pairs * 64 + lane_id();
  }
  __device__ const __half* embedding(int code) const {
    return reinterpret_cast<const __half*>(table) + code * Shape::kWidth;
  }
  __device__ bool is_out_warp() const { return warp_id() < Shape::kOutWarps; }
  __device__ bool is_x_warp() const {
    return warp_id() >= Shape::kFirstX && warp_id() < Shape::kFirstX + Shape::kXWarps;
  }
  __device__ std::uint32_t slot(int step) const {
    return (a.tiers[0].slot + static_cast<std::uint32_t>(step)) % Shape::kWindow;
  }
  __device__ float rms_factor(const float* squares) const {
    const float4 a0 = reinterpret_cast<const float4*>(squares)[0];
    const float4 a1 = reinterpret_cast<const float4*>(squares)[1];
    const float sum = ((a0.x + a1.x) + (a0.y + a1.y)) + ((a0.z + a1.z) + (a0.w + a1.w));
    return inverse_root(fmaf(sum, 1.0F / Shape::kWidth, eps));
  }

  // ---- resident_layer.cuh
  __device__ void bring_layer(int i);
  __device__ void keep_state(int i) const;
  template <int kPairs>
  __device__ void product(const uint4 (&w)[2 * kPairs], const __half* vector, float (&c)[4]) const;
  __device__ void fetch_in(int i);
  __device__ void fetch_head();
  __device__ void fetch_wide(int i, int where, int tile);
  __device__ void fetch_next(int i, bool ends, bool sends);
  __device__ void layer(int i, bool ends, int step, int code);
  __device__ float2 addends(int i, bool embeds, int code) const;
  __device__ ByHand by_hand(int i, int step) const;
  __device__ void put_y(int i, int step, float delta, float sum0, float sum1, float u, float gate,
                        __half* y) const;
  __device__ void scan(int i, int step, float u, float gate, __half* y);
  __device__ float2 x_proj_and_scan(int i, bool ends, int step, int code, float u, float gate);
  __device__ void out_proj(const float2& base, const __half* y, bool joining, bool sends);

  // ---- The inner group's side
  __device__ void wait_skip() const {
    expect_and_wait(kInSkip + (groups & 1), static_cast<std::uint32_t>(pool * Shape::kWidth) * 4U,
                    static_cast<std::uint32_t>((groups - 1) >> 1) & 1U);
  }

  // The row that joins the group: to the inner group, and to the state.
  __device__ void send_row() const {
    constexpr int kChunks = Shape::kWidth / 4;
    const int i = static_cast<int>(threadIdx.x);
    const int at_row = static_cast<int>(phase) * Shape::kWidth;
    if (i < inner_members * kChunks) {
      const uint4 row = reinterpret_cast<const uint4*>(s->row)[i % kChunks];
      const int buffer = groups & 1;
      const std::uint32_t to =
          inbox +
          static_cast<std::uint32_t>(buffer * pool * Shape::kWidth + at_row + i % kChunks * 4) * 4U;
      const int peer = stages + i / kChunks;
      store_async(of_rank(to, peer), row, of_rank(bar(kInRows + buffer), peer));
    }
    if (i < Shape::kWidth) pool_buffer[at_row + i] = s->row[i];
  }

  // ---- The last stage: head and draw
  __device__ void head() {
    const float factor = rms_factor(s->x.squares);
    float c[2][4];
#pragma unroll
    for (int j = 0; j < 2; ++j) product<2>(in[j], s->x.half, c[j]);
    // Of a tile's rows r8 and r8 + 8 a row's lanes all have the sums.
    const float lo = second ? c[1][0] : c[0][0];
    const float hi = second ? c[1][2] : c[0][2];
    put_logit(fmaf(odd != 0 ? hi : lo, factor, head_bias));
    __syncthreads();
  }
  __device__ void put_logit(float v) {
    logit = v;
    s->logits[my_code] = v;
    const float top = warp_max(v == v ? v : -3e38F);  // as draw treats a NaN
    if (lane_id() == 0) s->scratch[warp_id()] = __float_as_uint(top);
  }

  // The last stage draws, and sends the code to the first; the optional outputs come after that.
  __device__ void send_code(int step) {
    if (a.drawing == 0) {
      if (threadIdx.x == 0) send(args->forced[step]);
      return;
    }
    const bool has_outputs =
        args->log_prob != nullptr || args->entropy != nullptr || args->logits != nullptr;
    if (plain) {
      if (draw_by_quads(logit, scale, u_next, s->scratch)) keep_code(my_code, step);
    } else if (warp_id() == 0) {
      const int code =
          draw(s->logits, kMaxVocab, kMaxVocab, args->temperature, truncation(*args), u_next);
      if (lane_id() == 0) keep_code(code, step);
    }
    if (has_outputs) {
      __syncthreads();
      if (warp_id() == 0) write_likelihoods(*args, s->logits, kMaxVocab, kMaxVocab, step, s->drawn);
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
  Shape::Shared* s;
  StreamArgs* args;
  unsigned char* table;  // the first stage's embedding, the last one's head
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
  float *tap, *skip, *pool_buffer;
  std::uint32_t code_there, inbox, x_at, x_there = 0, squares_there = 0, x_bar_there = 0;
  int stages;
  float u_next = 0.0F;  // the next random number
  float scale, logit = 0.0F, head_bias = 0.0F;
  // A channel's constants and its window; 8 floats of its state.
  typename M::Resident constants[Shape::kMaxLayers];
  float4 h[Shape::kMaxLayers][2];
  float window[Shape::kMaxLayers][3];
  float4 biases[Shape::kMaxLayers];  // of u, of z, of the convolution; the mixer's float for delta
  float4 convs[Shape::kMaxLayers];
  float Ds[Shape::kMaxLayers];
  std::uint32_t tap_at[Shape::kMaxLayers];
  uint4 in[Shape::kTiles][4];  // in_proj's weights, or the head's
  uint4 wide[8];               // x_proj's or out_proj's
};

}  // namespace mambo::cuda
