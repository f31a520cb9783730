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
#include <limits>

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

// Leaves the p that are at least `threshold`, or whose logit is at least `rescued`; returns their
// sum.
HWY_INLINE float KeepAbove(float* p, const float* logits, int vp, float threshold, float rescued) {
  const V t = Const(threshold);
  const V r = Const(rescued);
  V sum = hn::Zero(d);
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    const V x = hn::Load(d, p + i);
    const auto stays = hn::Or(hn::Ge(x, t), hn::Ge(hn::Load(d, logits + i), r));
    const V kept = hn::IfThenElseZero(stays, x);
    hn::Store(kept, d, p + i);
    sum = hn::Add(sum, kept);
  }
  return SumLanes(sum);
}

// Of the model's own distribution (temperature 1), in nats: the logarithm of the sum of
// exp(logit - max), and the entropy. p [vp] is scratch.
struct Own {
  float log_total, entropy;
};
HWY_INLINE Own OwnDistribution(const float* logits, int vp, float max, float* p) {
  const float total = Exponentials(logits, vp, max, 1.0F, p);
  const float log_total = std::log(total);
  V sum = hn::Zero(d);  // H = ln Z - sum p (logit - max) / Z
  for (int i = 0; i < vp; i += static_cast<int>(kLanes)) {
    sum = hn::MulAdd(hn::Load(d, p + i), hn::Sub(hn::Load(d, logits + i), Const(max)), sum);
  }
  return {log_total, log_total - SumLanes(sum) / total};
}

// Whether top_k, top_p or min_p cut anything in a step that gate lets them act in.
HWY_INLINE bool Cuts(const SamplingParams& params, int vocab) {
  return (params.top_k > 0 && params.top_k < vocab) || params.top_p < 1.0F || params.min_p > 0.0F;
}

// Cuts p, which sums to `total`, by top_k, top_p and min_p, all of which keep what is at least a
// threshold; codes whose logit is at least `rescued` stay. Returns the sum of what is left.
HWY_INLINE float Truncate(const float* logits, int vocab, int vp, const SamplingParams& params,
                          float rescued, float total, float* p) {
  float threshold = 0.0F;
  if (params.top_k > 0 && params.top_k < vocab) {
    threshold = Threshold(p, vp, static_cast<float>(params.top_k), true);
    total = ShareAbove(p, vp, threshold, false);
  }
  // At top_k's threshold there is enough, so that top_p's is not below it.
  if (params.top_p < 1.0F) {
    const float wanted = HWY_MAX(params.top_p, 0.0F) * total;
    threshold = HWY_MIN(1.0F, Threshold(p, vp, wanted, false));
  }
  threshold = HWY_MAX(threshold, HWY_MIN(params.min_p, 1.0F));
  return KeepAbove(p, logits, vp, threshold, rescued);
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
  bool cuts = Cuts(params, vocab);
  float rescued = std::numeric_limits<float>::infinity();
  if (cuts && (params.gate > 0.0F || params.floor < 1.0F)) {
    const Own own = OwnDistribution(logits, vp, max, p);
    if (params.gate > 0.0F) cuts = own.entropy > params.gate / kLog2e;
    if (params.floor < 1.0F) {
      rescued = max + own.log_total + std::log(HWY_MAX(params.floor, 0.0F));
    }
  }
  float total = Exponentials(logits, vp, max, 1.0F / params.temperature, p);
  if (cuts) total = Truncate(logits, vocab, vp, params, rescued, total, p);
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
  float log_total = 0.0F;
  if (entropy != nullptr) {
    const Own own = OwnDistribution(logits, vp, max, p);
    log_total = own.log_total;
    *entropy = own.entropy;
  } else {
    log_total = std::log(Exponentials(logits, vp, max, 1.0F, p));
  }
  if (log_prob != nullptr) *log_prob = logits[code] - max - log_total;
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
