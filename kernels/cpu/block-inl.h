// The parts of one block for one step (docs/model.md) but for its mixer: rmsnorm, conv1d + silu.
// All vectors are padded to 16 with values that stay harmless (zero weights).
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

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
