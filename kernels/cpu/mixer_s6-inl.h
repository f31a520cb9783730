// One step of S6 with its gate, what makes delta, and what changes it by hand. (Per-target header:
// included once for each instruction set by Highway.)
#if defined(MAMBO_KERNELS_CPU_MIXER_S6_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_MIXER_S6_INL_H_
#undef MAMBO_KERNELS_CPU_MIXER_S6_INL_H_
#else
#define MAMBO_KERNELS_CPU_MIXER_S6_INL_H_
#endif

#include "kernels/cpu/gemv-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/mixer_s6.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

// What makes delta of dt_proj's output, bias included: the one place of this engine.
HWY_INLINE V S6Delta(V projected) { return Softplus(projected); }

// States [first, first + kStates) of one vector of channels: h = exp(delta A) h + delta B u,
// returns the sum of C h. A and h are [N][16] blocks; A is scaled by log2 e.
template <int kStates>
HWY_INLINE V StepStates(const float* HWY_RESTRICT A, const float* HWY_RESTRICT B,
                        const float* HWY_RESTRICT C, V dt, V du, float* HWY_RESTRICT h) {
  V sum[2] = {hn::Zero(d), hn::Zero(d)};
  MAMBO_UNROLL
  for (int n = 0; n < kStates; ++n) {
    const V e = Exp2(hn::Mul(dt, hn::Load(d, A + n * 16)));
    const V state = hn::MulAdd(e, hn::Load(d, h + n * 16), hn::Mul(du, Const(B[n])));
    hn::Store(state, d, h + n * 16);
    sum[n & 1] = hn::MulAdd(state, Const(C[n]), sum[n & 1]);
  }
  return hn::Add(sum[0], sum[1]);
}

// y = (C h + D u) * silu(z) after one step of h; y may be u.
HWY_INLINE void S6States(const cpu::S6Weights& w, const cpu::MixerStep& s) {
  const int N = w.N;
  const float* delta = s.delta;
  const float* B = s.projected + w.rank;
  const float* C = B + N;
  const float* A = w.A.data();
  float* HWY_RESTRICT h = s.h;
  for (int block = 0; block < w.dp; block += 16, A += 16 * N, h += 16 * N) {
    for (int i = 0; i < 16; i += static_cast<int>(kLanes)) {
      const int c = block + i;
      const V dt = hn::Load(d, delta + c);
      const V uc = hn::Load(d, s.u + c);
      const V du = hn::Mul(dt, uc);
      V sum = hn::Mul(hn::Load(d, s.D + c), uc);
      int n = 0;
      for (; n + 16 <= N; n += 16)
        sum = hn::Add(sum, StepStates<16>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      for (; n + 4 <= N; n += 4)
        sum = hn::Add(sum, StepStates<4>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      for (; n < N; ++n)
        sum = hn::Add(sum, StepStates<1>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      hn::Store(hn::Mul(sum, Silu(hn::Load(d, s.z + c))), d, s.y + c);
    }
  }
}

// Selectivity by hand: X' = gain X + offset for delta, B and C of so many steps.
HWY_INLINE void PlayByHand(const cpu::S6Weights& w, const Selectivity::Layer& by_hand, int rows,
                           float* projected, float* delta) {
  const V gain = Const(by_hand.delta_gain);
  for (int r = 0; r < rows; ++r) {
    float* HWY_RESTRICT row = delta + static_cast<size_t>(r) * w.dp;
    for (int c = 0; c < w.dp; c += static_cast<int>(kLanes)) {
      const V offset = hn::LoadU(d, by_hand.delta_offset.data() + c);
      hn::Store(hn::MulAdd(gain, hn::Load(d, row + c), offset), d, row + c);
    }
    float* HWY_RESTRICT B = projected + static_cast<size_t>(r) * w.xp + w.rank;
    float* HWY_RESTRICT C = B + w.N;
    for (int n = 0; n < w.N; ++n) {
      const auto i = static_cast<size_t>(n);
      B[n] = by_hand.B_gain * B[n] + by_hand.B_offset[i];
      C[n] = by_hand.C_gain * C[n] + by_hand.C_offset[i];
    }
  }
}

HWY_INLINE void PlayByHand(const cpu::S6Weights& w, const Selectivity::Layer& by_hand,
                           cpu::MixerStep& s) {
  PlayByHand(w, by_hand, 1, s.projected, s.delta);
}

// The first part of a step: delta, B and C as the network says. Returns delta, [dp].
HWY_INLINE const float* SelectStep(const cpu::S6Weights& w, const cpu::MixerStep& s) {
  Gemv(w.x_proj.packed, s.u, nullptr, s.projected);
  Gemv(w.dt_proj.packed, s.projected, w.dt_proj.bias.data(), s.delta);
  for (int c = 0; c < w.dp; c += static_cast<int>(kLanes))
    hn::Store(S6Delta(hn::Load(d, s.delta + c)), d, s.delta + c);
  return s.delta;
}

// The rest of it.
HWY_INLINE void StatesStep(const cpu::S6Weights& w, const cpu::MixerStep& s) { S6States(w, s); }

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
