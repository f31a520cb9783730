// One step of S4D with its gate. (Per-target header: included once for each instruction set by
// Highway.)
#if defined(MAMBO_KERNELS_CPU_MIXER_S4D_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_MIXER_S4D_INL_H_
#undef MAMBO_KERNELS_CPU_MIXER_S4D_INL_H_
#else
#define MAMBO_KERNELS_CPU_MIXER_S4D_INL_H_
#endif

#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/mixer_s4d.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

// The time-invariant state, one vector of channels of it: h = decay h + u; adds Re(gain h) to sum.
struct ModeStep {
  V re, im;  // of h
  HWY_INLINE void Run(V decay_re, V decay_im, V gain_re, V gain_im, V u, V& sum) {
    const V next = hn::MulAdd(decay_re, re, hn::NegMulAdd(decay_im, im, u));
    im = hn::MulAdd(decay_re, im, hn::Mul(decay_im, re));
    re = next;
    sum = hn::NegMulAdd(gain_im, im, hn::MulAdd(gain_re, re, sum));
  }
};

HWY_INLINE void PlayByHand(const cpu::S4dWeights& /*w*/, const Selectivity::Layer& by_hand,
                           cpu::MixerStep& s) {
  s.read = by_hand.read;
}

// The first part of a step: nothing depends on the input. Returns delta, [dp].
HWY_INLINE const float* SelectStep(const cpu::S4dWeights& w, const cpu::MixerStep& /*s*/) {
  return w.dt.data();
}

// What is read out, of two sums over states, with the skip: D u + read * states. `skip` is already
// in `first` where nothing scales the states.
template <bool kRead>
HWY_INLINE V ReadOut(V first, V second, V skip, V read) {
  const V sum = hn::Add(first, second);
  return kRead ? hn::MulAdd(read, sum, skip) : sum;
}

// y = (read Re(gain h) + D u) * silu(z) after one step of h; y may be u. No exponential but the
// gate's.
template <bool kRead>
HWY_INLINE void S4dStates(const cpu::S4dWeights& w, const cpu::MixerStep& s) {
  constexpr int kRow = 16;
  const float* HWY_RESTRICT mode = w.modes.data();
  float* HWY_RESTRICT h = s.h;
  for (int block = 0; block < w.dp; block += 16) {
    for (int i = 0; i < 16; i += static_cast<int>(kLanes)) {
      const int c = block + i;
      const V uc = hn::Load(d, s.u + c);
      const V skip = hn::Mul(hn::Load(d, s.D + c), uc);
      V sum[2] = {kRead ? hn::Zero(d) : skip, hn::Zero(d)};
      for (int m = 0; m < w.M; ++m) {
        const float* at = mode + m * cpu::kModeRows * kRow + i;
        float* hm = h + m * 2 * kRow + i;
        ModeStep next{hn::Load(d, hm), hn::Load(d, hm + kRow)};
        next.Run(hn::Load(d, at), hn::Load(d, at + kRow), hn::Load(d, at + 2 * kRow),
                 hn::Load(d, at + 3 * kRow), uc, sum[m & 1]);
        hn::Store(next.re, d, hm);
        hn::Store(next.im, d, hm + kRow);
      }
      const V out = ReadOut<kRead>(sum[0], sum[1], skip, Const(s.read));
      hn::Store(hn::Mul(out, Silu(hn::Load(d, s.z + c))), d, s.y + c);
    }
    mode += w.M * cpu::kModeRows * kRow;
    h += w.M * 2 * kRow;
  }
}

HWY_INLINE void StatesStep(const cpu::S4dWeights& w, const cpu::MixerStep& s) {
  if (HWY_LIKELY(s.read == 1.0F))
    S4dStates<false>(w, s);
  else
    S4dStates<true>(w, s);
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
