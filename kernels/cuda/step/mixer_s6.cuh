// S6, the selective mixer, on the device: h = exp(delta A) h + delta B u, y = C h + D u, where
// delta, B and C are products of u.
#pragma once

#include "kernels/cuda/pack/by_hand_table.h"
#include "kernels/cuda/step/device_math.cuh"
#include "kernels/mixers/mixer.h"

namespace mambo::cuda {

// A lane's view of what a layer's scan reads: its row of the two matrices that a channel tile's
// record begins with (pack/device_network.h), from the lane's first float on, and x_proj's results.
struct ScanRows {
  const float *first, *second;
  const float* dbc;  // [rp]: the low-rank input of delta; B [np], C [np]
  int second_columns, rp, np;
};

// Selectivity by hand of a layer and channel, loaded ahead of its use.
struct ByHand {
  bool on = false;             // known when it is compiled
  float gain = 1, offset = 0;  // of delta; of S4D gain is `read`
  float* said = nullptr;       // of the channel: where delta goes before it is changed, or null

  ByHand() = default;
  // table: the layer's part (by_hand_table.h), or null: the stream is played as the network says.
  template <class M>
  __device__ static ByHand of(const float* table, int channel) {
    ByHand hand;
    hand.on = true;
    if (table == nullptr) return hand;
    hand.gain = table[0];
    if (M::kSelective) hand.offset = table[kByHandHead + channel];
    return hand;
  }
};

// What the step asks of a mixer.
template <class M>
concept StepMixer = requires(const ScanRows& rows, typename M::Channel& channel, float4& h,
                             float& y) {
  M::kId;         // Mixer
  M::kSelective;  // x_proj makes an input of the scan from u
  // Of a channel and its first four floats of state, prefetched; the record's float for delta is
  // delta_record (S6: dt_proj's bias; S4D: delta).
  channel.load(rows, 0);
  channel.delta_record;
  // A step's input, from the channel and its u; with the delta that the tap shows.
  M::input(rows, channel, 0, 0.0F, ByHand{}).delta;
  // Four floats of a channel's state, the first ones or those from n on: h, and y += their output.
  M::update(h, channel, M::input(rows, channel, 0, 0.0F, ByHand{}), y);
  M::update(h, rows, 16, M::input(rows, channel, 0, 0.0F, ByHand{}), y);
  // What is read out of a channel's states, given their sum.
  M::read(0.0F, ByHand{});
};

struct S6 {
  static constexpr Mixer kId = Mixer::s6;
  static constexpr bool kSelective = true;

  struct Channel {
    float4 A, dt_w;  // A times log2 e; of dt_proj the first four columns
    float delta_record;
    __device__ void load(const ScanRows& rows, int) {
      A = *reinterpret_cast<const float4*>(rows.first);
      dt_w = *reinterpret_cast<const float4*>(rows.second);
    }
  };
  // What a lane of a resident stage holds: eight states.
  struct Resident {
    float4 A[2], dt_w;
  };
  struct Input {
    float delta, du;
    const float *B, *C;  // of the lane's first state
  };

  // Delta of a channel, from its low-rank product with u. The only place on the device where a step
  // makes it: whatever is to act on delta acts here.
  __device__ static float delta(float low_rank, const ByHand& by_hand) {
    const float said = softplus(low_rank);
    if (!by_hand.on) return said;
    if (by_hand.said != nullptr) *by_hand.said = said;
    return fmaf(by_hand.gain, said, by_hand.offset);
  }
  // C has it in it already.
  __device__ static float read(float sum, const ByHand&) { return sum; }

  // q: which four states of each sixteen are this lane's.
  __device__ static Input input(const ScanRows& rows, const Channel& channel, int q, float u,
                                const ByHand& by_hand) {
    float low_rank =
        channel.delta_record + dot4(channel.dt_w, *reinterpret_cast<const float4*>(rows.dbc));
    for (int j = 4; j < rows.second_columns; j += 4)
      low_rank += dot4(*reinterpret_cast<const float4*>(rows.second + j),
                       *reinterpret_cast<const float4*>(rows.dbc + j));
    const float d = delta(low_rank, by_hand);
    const float* B = rows.dbc + rows.rp + q * 4;
    return {d, d * u, B, B + rows.np};
  }
  __device__ static void update(float4& h, const Channel& channel, const Input& in, float& y) {
    update(h, channel.A, *reinterpret_cast<const float4*>(in.B),
           *reinterpret_cast<const float4*>(in.C), in.delta, in.du, y);
  }
  __device__ static void update(float4& h, const ScanRows& rows, int n, const Input& in, float& y) {
    update(h, *reinterpret_cast<const float4*>(rows.first + n),
           *reinterpret_cast<const float4*>(in.B + n), *reinterpret_cast<const float4*>(in.C + n),
           in.delta, in.du, y);
  }
  // h = exp(delta A) h + du B, y += C h.
  __device__ static void update(float4& h, const float4& A, const float4& B, const float4& C,
                                float delta, float du, float& y) {
    h.x = fmaf(exp2_fast(delta * A.x), h.x, du * B.x);
    h.y = fmaf(exp2_fast(delta * A.y), h.y, du * B.y);
    h.z = fmaf(exp2_fast(delta * A.z), h.z, du * B.z);
    h.w = fmaf(exp2_fast(delta * A.w), h.w, du * B.w);
    y = fmaf(C.w, h.w, fmaf(C.z, h.z, fmaf(C.y, h.y, fmaf(C.x, h.x, y))));
  }
};

static_assert(StepMixer<S6>);

}  // namespace mambo::cuda
