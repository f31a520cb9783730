// Drawing a code from logits, as kernels/sampling.h defines it, without sorting: thresholds are
// found by bisection over the bits of the probabilities (positive floats order as integers do).
#if defined(MAMBO_KERNELS_CPU_SAMPLING_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_SAMPLING_INL_H_
#undef MAMBO_KERNELS_CPU_SAMPLING_INL_H_
#else
#define MAMBO_KERNELS_CPU_SAMPLING_INL_H_
#endif

#include <bit>
#include <cmath>

#include "kernels/cpu/block-inl.h"
#include "kernels/sampling.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

// logits [vp], padding far below every real one; vp a multiple of 16.
HWY_INLINE float MaxOf(const float* logits, int vp) {
  V m = hn::Load(d, logits);
  for (int i = static_cast<int>(kLanes); i < vp; i += static_cast<int>(kLanes))
    m = hn::Max(m, hn::Load(d, logits + i));
  return hn::GetLane(hn::MaxOfLanes(d, m));
}

// p = exp((logit - max) * inverse_temperature); returns the sum.
HWY_INLINE float Exponentials(const float* logits, int vp, float max, float inverse_temperature,
                              float* p) {
  const V scale = Const(inverse_temperature * kLog2e);
  const V top = Const(max);
  V sum = hn::Zero(d);
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    const V e = Exp2(hn::Mul(hn::Sub(hn::Load(d, logits + i), top), scale));
    hn::Store(e, d, p + i);
    sum = hn::Add(sum, e);
  }
  return SumLanes(sum);
}

// Sum (or count, with `count`) of the p that are at least `threshold`.
HWY_INLINE float ShareAbove(const float* p, int vp, float threshold, bool count) {
  const V t = Const(threshold);
  V sum = hn::Zero(d);
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    const V x = hn::Load(d, p + i);
    sum = hn::Add(sum, hn::IfThenElseZero(hn::Ge(x, t), count ? Const(1.0F) : x));
  }
  return SumLanes(sum);
}

// The largest threshold that keeps at least `wanted` (p in [0, 1], p of the likeliest code is 1).
HWY_INLINE float Threshold(const float* p, int vp, float wanted, bool count) {
  uint32_t keeps = 0;            // bits of a threshold that keeps enough
  uint32_t fails = 0x3F800001U;  // just above 1: keeps nothing
  while (fails - keeps > 1) {
    const uint32_t middle = keeps + (fails - keeps) / 2;
    if (ShareAbove(p, vp, std::bit_cast<float>(middle), count) >= wanted)
      keeps = middle;
    else
      fails = middle;
  }
  return std::bit_cast<float>(keeps);
}

HWY_INLINE float KeepAbove(float* p, int vp, float threshold) {
  const V t = Const(threshold);
  V sum = hn::Zero(d);
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    const V x = hn::Load(d, p + i);
    const V kept = hn::IfThenElseZero(hn::Ge(x, t), x);
    hn::Store(kept, d, p + i);
    sum = hn::Add(sum, kept);
  }
  return SumLanes(sum);
}

// Draws with u in [0, 1). p [vp] is scratch.
HWY_INLINE int Draw(const float* logits, int vocab, int vp, const SamplingParams& params, float u,
                    float* p) {
  const float max = MaxOf(logits, vp);
  if (!(params.temperature > 0.0F)) {
    for (int i = 0; i < vocab; ++i) {
      if (logits[i] == max) return i;
    }
    return 0;  // logits hold NaN
  }
  float total = Exponentials(logits, vp, max, 1.0F / params.temperature, p);
  if (params.top_k > 0 && params.top_k < vocab) {
    total = KeepAbove(p, vp, Threshold(p, vp, static_cast<float>(params.top_k), true));
  }
  if (params.top_p < 1.0F) {
    const float wanted = HWY_MAX(params.top_p, 0.0F) * total;
    total = KeepAbove(p, vp, HWY_MIN(1.0F, Threshold(p, vp, wanted, false)));
  }
  // The first code at which the running sum passes u * total: by blocks of 16, then within the
  // block.
  const float target = u * total;
  float below = 0.0F;
  int block = 0;
  for (; block + 16 < vp; block += 16) {
    V sum = hn::Zero(d);
    for (int i = 0; i < 16; i += static_cast<int>(kLanes))
      sum = hn::Add(sum, hn::Load(d, p + block + i));
    const float here = SumLanes(sum);
    if (below + here > target) break;
    below += here;
  }
  int last = -1;  // rounding may carry the target past the end: then the last code with a share
  for (int i = block; i < vocab; ++i) {
    if (p[i] <= 0.0F) continue;
    last = i;
    below += p[i];
    if (below > target) return i;
  }
  for (int i = vocab - 1; last < 0 && i >= 0; --i) {
    if (p[i] > 0.0F) last = i;
  }
  return last < 0 ? 0 : last;
}

// Of the model's own distribution (temperature 1): ln p(code) and the entropy, in nats.
HWY_INLINE void Likelihood(const float* logits, int vp, int code, float* p, float* log_prob,
                           float* entropy) {
  const float max = MaxOf(logits, vp);
  const float total = Exponentials(logits, vp, max, 1.0F, p);
  const float log_total = std::log(total);
  if (log_prob != nullptr) *log_prob = logits[code] - max - log_total;
  if (entropy == nullptr) return;
  V sum = hn::Zero(d);  // H = ln Z - sum p (logit - max) / Z
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    sum = hn::MulAdd(hn::Load(d, p + i), hn::Sub(hn::Load(d, logits + i), Const(max)), sum);
  }
  *entropy = log_total - SumLanes(sum) / total;
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
