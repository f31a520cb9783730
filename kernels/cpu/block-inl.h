// The parts of one block for one step (docs/model.md): rmsnorm, conv1d + silu, the step of the
// selective and of the time-invariant scan with its gate. All vectors are padded to 16 with values
// that stay harmless (zero weights).
#if defined(MAMBO_KERNELS_CPU_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_BLOCK_INL_H_
#undef MAMBO_KERNELS_CPU_BLOCK_INL_H_
#else
#define MAMBO_KERNELS_CPU_BLOCK_INL_H_
#endif

#include <cmath>

#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/network.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

HWY_INLINE float SumLanes(V v) { return hn::GetLane(hn::SumOfLanes(d, v)); }

// y = x / sqrt(mean(x^2) + eps) * weight over `width` real elements of wp.
HWY_INLINE void RmsNorm(const float* x, const float* weight, int width, int wp, float eps,
                        float* y) {
  V s0 = hn::Zero(d);
  V s1 = hn::Zero(d);
  int i = 0;
  const int lanes = static_cast<int>(kLanes);
  for (; i + 2 * lanes <= wp; i += 2 * lanes) {
    const V a = hn::Load(d, x + i);
    const V b = hn::Load(d, x + i + lanes);
    s0 = hn::MulAdd(a, a, s0);
    s1 = hn::MulAdd(b, b, s1);
  }
  for (; i < wp; i += lanes) {
    const V a = hn::Load(d, x + i);
    s0 = hn::MulAdd(a, a, s0);
  }
  const float sum = SumLanes(hn::Add(s0, s1));
  const V scale = Const(1.0F / std::sqrt(sum / static_cast<float>(width) + eps));
  for (i = 0; i < wp; i += lanes) {
    hn::Store(hn::Mul(hn::Mul(hn::Load(d, x + i), scale), hn::Load(d, weight + i)), d, y + i);
  }
}

// u = silu(bias + sum_k weight[k] * row k). `rows[k]`: inputs K-1-k steps ago, [dp].
HWY_INLINE void ConvSilu(const float* weight, const float* bias, const float* const* rows, int K,
                         int dp, float* u) {
  for (int c = 0; c < dp; c += static_cast<int>(kLanes)) {
    V acc = hn::Load(d, bias + c);
    for (int k = 0; k < K; ++k) {
      acc = hn::MulAdd(hn::Load(d, weight + static_cast<size_t>(k) * dp + c),
                       hn::Load(d, rows[k] + c), acc);
    }
    hn::Store(Silu(acc), d, u + c);
  }
}

// delta = softplus(delta), [dp].
HWY_INLINE void SoftplusInPlace(float* delta, int dp) {
  for (int c = 0; c < dp; c += static_cast<int>(kLanes))
    hn::Store(Softplus(hn::Load(d, delta + c)), d, delta + c);
}

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
HWY_INLINE void SsmStep(const cpu::Layer& l, int N, const float* delta, const float* B,
                        const float* C, const float* u, const float* z, float* HWY_RESTRICT h,
                        float* y) {
  const float* A = l.A.data();
  for (int block = 0; block < l.dp; block += 16, A += 16 * N, h += 16 * N) {
    for (int i = 0; i < 16; i += static_cast<int>(kLanes)) {
      const int c = block + i;
      const V dt = hn::Load(d, delta + c);
      const V uc = hn::Load(d, u + c);
      const V du = hn::Mul(dt, uc);
      V sum = hn::Mul(hn::Load(d, l.D.data() + c), uc);
      int n = 0;
      for (; n + 16 <= N; n += 16)
        sum = hn::Add(sum, StepStates<16>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      for (; n + 4 <= N; n += 4)
        sum = hn::Add(sum, StepStates<4>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      for (; n < N; ++n)
        sum = hn::Add(sum, StepStates<1>(A + n * 16 + i, B + n, C + n, dt, du, h + n * 16 + i));
      hn::Store(hn::Mul(sum, Silu(hn::Load(d, z + c))), d, y + c);
    }
  }
}

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

// y = (Re(gain h) + D u) * silu(z) after one step of h; y may be u. No exponential but the gate's.
HWY_INLINE void S4dStep(const cpu::Layer& l, const float* u, const float* z, float* HWY_RESTRICT h,
                        float* y) {
  constexpr int kRow = 16;
  const float* HWY_RESTRICT mode = l.modes.data();
  for (int block = 0; block < l.dp; block += 16) {
    for (int i = 0; i < 16; i += static_cast<int>(kLanes)) {
      const int c = block + i;
      const V uc = hn::Load(d, u + c);
      V sum[2] = {hn::Mul(hn::Load(d, l.D.data() + c), uc), hn::Zero(d)};
      for (int m = 0; m < l.states; ++m) {
        const float* w = mode + m * cpu::kMode * kRow + i;
        float* hm = h + m * 2 * kRow + i;
        ModeStep s{hn::Load(d, hm), hn::Load(d, hm + kRow)};
        s.Run(hn::Load(d, w), hn::Load(d, w + kRow), hn::Load(d, w + 2 * kRow),
              hn::Load(d, w + 3 * kRow), uc, sum[m & 1]);
        hn::Store(s.re, d, hm);
        hn::Store(s.im, d, hm + kRow);
      }
      const V out = hn::Mul(hn::Add(sum[0], sum[1]), Silu(hn::Load(d, z + c)));
      hn::Store(out, d, y + c);
    }
    mode += l.states * cpu::kMode * kRow;
    h += l.states * 2 * kRow;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
