// S4D, the time-invariant mixer, on the device (kernels/mixers/s4d.h): h = decay h + u,
// y = Re(gain h) + D u, complex. Decay and gain are constants of a channel, so nothing between
// in_proj and out_proj is multiplied by a matrix, and the only exponential is the gate's.
#pragma once

#include "kernels/cuda/step/mixer_s6.cuh"

namespace mambo::cuda {

struct S4D {
  static constexpr Mixer kId = Mixer::s4d;
  static constexpr bool kSelective = false;

  struct Channel {
    float4 decay, gain;  // of two states, real and imaginary part side by side
    float delta_record;  // delta, which is folded into decay and gain
    __device__ void load(const ScanRows& rows, int q) {
      decay = *reinterpret_cast<const float4*>(rows.first);
      gain = *reinterpret_cast<const float4*>(rows.second + q * 4);
    }
  };
  // What a lane of a resident stage holds: four states.
  struct Resident {
    float4 decay[2], gain[2];
  };
  struct Input {
    float delta, u;
    int at;  // of the lane's first float, in a row of gain
  };

  __device__ static Input input(const ScanRows&, const Channel& channel, int q, float u,
                                const ByHand& by_hand) {
    if (by_hand.said != nullptr) *by_hand.said = channel.delta_record;
    return {channel.delta_record, u, q * 4};
  }
  __device__ static float read(float sum, const ByHand& by_hand) {
    return by_hand.on ? by_hand.gain * sum : sum;
  }
  __device__ static void update(float4& h, const Channel& channel, const Input& in, float& y) {
    update(h, channel.decay, channel.gain, in.u, y);
  }
  __device__ static void update(float4& h, const ScanRows& rows, int n, const Input& in, float& y) {
    update(h, *reinterpret_cast<const float4*>(rows.first + n),
           *reinterpret_cast<const float4*>(rows.second + in.at + n), in.u, y);
  }
  // Two states of a channel. gain: with its imaginary part's sign turned, so that all is added.
  __device__ static void update(float4& h, const float4& decay, const float4& gain, float u,
                                float& y) {
    const float first = fmaf(decay.x, h.x, fmaf(-decay.y, h.y, u));
    h.y = fmaf(decay.x, h.y, decay.y * h.x);
    h.x = first;
    const float second = fmaf(decay.z, h.z, fmaf(-decay.w, h.w, u));
    h.w = fmaf(decay.z, h.w, decay.w * h.z);
    h.z = second;
    y = fmaf(gain.w, h.w, fmaf(gain.z, h.z, fmaf(gain.y, h.y, fmaf(gain.x, h.x, y))));
  }
};

static_assert(StepMixer<S4D>);

}  // namespace mambo::cuda
