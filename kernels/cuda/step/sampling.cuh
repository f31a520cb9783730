// Drawing a code from logits by one warp, as kernels/sampling.h defines it.
//
// Probabilities become whole numbers (2^23 for the likeliest code), so that every sum over them is
// exact and the same however the lanes add it up; what is below 2^-24 of the likeliest is never
// drawn. Thresholds of top_k and top_p are found bit by bit, without sorting.
#pragma once

#include <cstdint>

#include "kernels/cuda/step/device_math.cuh"
#include "kernels/sampling.h"

namespace mambo::cuda {

constexpr int kMaxVocab = 256;
constexpr int kCodesALane = kMaxVocab / 32;

__device__ inline std::uint32_t warp_total(std::uint32_t x) {
#if __CUDA_ARCH__ >= 800
  return __reduce_add_sync(0xFFFFFFFFU, x);
#else
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(0xFFFFFFFFU, x, i);
  return x;
#endif
}

__device__ inline float warp_max(float x) {
#if __CUDA_ARCH__ >= 800
  int i = __float_as_int(x);
  i = i >= 0 ? i : i ^ 0x7FFFFFFF;  // orders as floats do
  i = __reduce_max_sync(0xFFFFFFFFU, i);
  return __int_as_float(i >= 0 ? i : i ^ 0x7FFFFFFF);
#else
  for (int i = 16; i > 0; i /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFU, x, i));
  return x;
#endif
}

__device__ inline float warp_sum(float x) {
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(0xFFFFFFFFU, x, i);
  return x;
}

// x of this lane and of every kStep-th one before it.
template <int kStep = 1>
__device__ inline std::uint32_t sum_up_to(std::uint32_t x) {
#pragma unroll
  for (int i = kStep; i < 32; i *= 2) {
    const std::uint32_t other = __shfl_up_sync(0xFFFFFFFFU, x, i);
    if (lane_id() >= i) x += other;
  }
  return x;
}

// The largest threshold such that the codes at or above it weigh (or, counted, are) at least
// `wanted`.
template <bool kCount>
__device__ inline std::uint32_t threshold(const std::uint32_t (&p)[kCodesALane],
                                          std::uint32_t wanted) {
  std::uint32_t t = 0;
  for (int bit = 23; bit >= 0; --bit) {
    const std::uint32_t tried = t | (1U << bit);
    std::uint32_t mine = 0;
#pragma unroll
    for (const std::uint32_t x : p) mine += x >= tried ? (kCount ? 1U : x) : 0U;
    if (warp_total(mine) >= wanted) t = tried;
  }
  return t;
}

// What restricts the codes of a draw, as kernels/sampling.h says.
struct Truncation {
  int top_k;
  float top_p, min_p, floor, gate;

  // Whether top_k, top_p or min_p cut anything in a step that gate lets them act in.
  __device__ bool cuts(int vocab) const {
    return (top_k > 0 && top_k < vocab) || top_p < 1.0F || min_p > 0.0F;
  }
  // Whether the model's own distribution has a say.
  __device__ bool asks() const { return gate > 0.0F || floor < 1.0F; }
};

// Of the model's own distribution (temperature 1), in nats: the logarithm of the sum of
// exp(logit - top), and the entropy. One warp, logits [vp] as for draw. A loop, not unrolled:
// rarely asked for, and code in a kernel's step is not free where it is not run.
struct Own {
  float log_total, entropy;
};
__device__ inline Own own_distribution(const float* logits, int vp, float top) {
  float total = 0.0F;
  float moment = 0.0F;
#pragma unroll 1
  for (int i = lane_id(); i < vp; i += 32) {
    const float l = logits[i] - top;
    const float p = exp2_fast(l * 1.44269504F);
    total += p;
    moment += p > 0.0F ? p * l : 0.0F;
  }
  total = warp_sum(total);
  moment = warp_sum(moment);
  const float log_total = logf(total);
  return {log_total, log_total - moment / total};
}

// Cuts the weights p of a warp's codes, whose logits are l of a lane and logits [vp] of all.
__device__ inline void truncate(std::uint32_t (&p)[kCodesALane], const float (&l)[kCodesALane],
                                const float* logits, int vp, float top, int vocab,
                                const Truncation& by) {
  float rescued = 3e38F;
  if (by.asks()) {
    const Own own = own_distribution(logits, vp, top);
    if (by.gate > 0.0F && !(own.entropy > by.gate / 1.44269504F)) return;
    if (by.floor < 1.0F) rescued = top + own.log_total + logf(fmaxf(by.floor, 0.0F));
  }
  std::uint32_t t = 0;
  if (by.top_k > 0 && by.top_k < vocab)
    t = threshold<true>(p, static_cast<std::uint32_t>(by.top_k));
  if (by.top_p < 1.0F) {
    std::uint32_t mine = 0;
#pragma unroll
    for (const std::uint32_t x : p) mine += x >= t ? x : 0U;
    const std::uint32_t total = warp_total(mine);
    const float share = fmaxf(by.top_p, 0.0F) * static_cast<float>(total);
    // At top_k's threshold there is enough, so that top_p's is not below it.
    t = threshold<false>(p, min(total, max(1U, __float2uint_ru(share))));
  }
  t = max(t, __float2uint_ru(fminf(fmaxf(by.min_p, 0.0F), 1.0F) * 8388608.0F));
#pragma unroll
  for (int j = 0; j < kCodesALane; ++j) p[j] = p[j] >= t || l[j] >= rescued ? p[j] : 0U;
}

// One warp; logits [vp] in shared memory, padding far below every real one. u: kernels/sampling.h.
// All lanes return the code.
__device__ inline int draw(const float* logits, int vocab, int vp, float temperature,
                           const Truncation& by, float u) {
  const int each = vp / 32;
  const int first = lane_id() * each;
  float l[kCodesALane];
  float top = -3e38F;
#pragma unroll
  for (int j = 0; j < kCodesALane; ++j) {
    l[j] = j < each ? logits[first + j] : -1e30F;
    top = fmaxf(top, l[j]);
  }
  top = warp_max(top);
  if (!(temperature > 0.0F)) {
    int found = 0x7FFFFFFF;
#pragma unroll
    for (int j = kCodesALane - 1; j >= 0; --j)
      if (j < each && l[j] == top) found = first + j;
    const unsigned who = __ballot_sync(0xFFFFFFFFU, found != 0x7FFFFFFF);
    if (who == 0) return 0;  // logits hold NaN
    return __shfl_sync(0xFFFFFFFFU, found, __ffs(static_cast<int>(who)) - 1);
  }

  const float scale = 1.44269504F / temperature;
  std::uint32_t p[kCodesALane];
#pragma unroll
  for (int j = 0; j < kCodesALane; ++j)
    p[j] = __float2uint_rn(exp2_fast((l[j] - top) * scale) * 8388608.0F);
  if (by.cuts(vocab)) truncate(p, l, logits, vp, top, vocab, by);
  std::uint32_t mine = 0;
#pragma unroll
  for (const std::uint32_t x : p) mine += x;
  const std::uint32_t up_to = sum_up_to(mine);  // of all lanes up to this one
  const std::uint32_t total = __shfl_sync(0xFFFFFFFFU, up_to, 31);
  const auto u24 = static_cast<std::uint32_t>(u * 16777216.0F);
  const auto target = static_cast<std::uint32_t>((static_cast<std::uint64_t>(u24) * total) >> 24U);
  // The first code at which the running sum passes the target.
  const unsigned past = __ballot_sync(0xFFFFFFFFU, up_to > target);
  if (past == 0) return 0;  // logits hold NaN
  std::uint32_t below = up_to - mine;
  int code = first;
  bool found = false;
#pragma unroll
  for (int j = 0; j < kCodesALane; ++j) {
    below += p[j];
    if (!found && below > target) {
      code = first + j;
      found = true;
    }
  }
  return __shfl_sync(0xFFFFFFFFU, code, __ffs(static_cast<int>(past)) - 1);
}

// Whether draw_by_all and draw_by_quads may draw: nothing but a temperature restricts the codes.
__device__ inline bool plain_draw(float temperature, const Truncation& by, int vocab) {
  return temperature > 0.0F && !by.cuts(vocab);
}

// Draws by eight warps, a code a thread, have 16 words of shared memory as scratch: 8 for the
// warps' largest logits and 8 for their weights. A code's weight, from the former:
__device__ inline std::uint32_t weight_of(float logit, float scale, const std::uint32_t* scratch) {
  const float4 t0 = reinterpret_cast<const float4*>(scratch)[0];
  const float4 t1 = reinterpret_cast<const float4*>(scratch)[1];
  const float top = fmaxf(fmaxf(fmaxf(t0.x, t0.y), fmaxf(t0.z, t0.w)),
                          fmaxf(fmaxf(t1.x, t1.y), fmaxf(t1.z, t1.w)));
  return __float2uint_rn(exp2_fast((logit - top) * scale) * 8388608.0F);
}
// Whether the thread's code, of weight p, is the first at which the running sum passes the target;
// up_to: the sum of the warp's codes up to it.
__device__ inline bool is_drawn(std::uint32_t p, std::uint32_t up_to, float u,
                                const std::uint32_t* scratch) {
  const int warp = warp_id();
  const uint4 a = reinterpret_cast<const uint4*>(scratch)[2];
  const uint4 b = reinterpret_cast<const uint4*>(scratch)[3];
  const std::uint32_t last = (warp & 1) != 0 ? scratch[7 + warp] : 0U;  // of the warp before it
  const std::uint32_t two = a.x + a.y;
  const std::uint32_t four = two + (a.z + a.w);
  const std::uint32_t six = four + (b.x + b.y);
  const std::uint32_t total = six + (b.z + b.w);
  const std::uint32_t pairs = warp < 4 ? (warp < 2 ? 0U : two) : (warp < 6 ? four : six);
  const auto u24 = static_cast<std::uint32_t>(u * 16777216.0F);
  const auto target = static_cast<std::uint32_t>((static_cast<std::uint64_t>(u24) * total) >> 24U);
  const std::uint32_t end = pairs + last + up_to;
  if (total == 0) return threadIdx.x == 0;  // logits hold NaN
  return end > target && end - p <= target;
}

// What draw draws, by eight warps, a code a thread, for vp = 256 and plain_draw: a third of the
// time. True in the one thread whose code it is; all threads meet.
__device__ inline bool draw_by_all(const float* logits, float temperature, float u,
                                   std::uint32_t* scratch) {
  const int warp = warp_id();
  const float l = logits[threadIdx.x];
  const float warp_top = warp_max(l == l ? l : -3e38F);
  if (lane_id() == 0) scratch[warp] = __float_as_uint(warp_top);
  __syncthreads();
  const std::uint32_t p = weight_of(l, 1.44269504F / temperature, scratch);
  const std::uint32_t up_to = sum_up_to(p);
  if (lane_id() == 31) scratch[8 + warp] = up_to;
  __syncthreads();
  return is_drawn(p, up_to, u, scratch);
}

// The same where a warp's codes are its lanes' as a product leaves them: code warp * 32 + q * 8 +
// r8 of lane 4 * r8 + q. scratch: the warps' largest logits are in its first 8 words already.
__device__ inline bool draw_by_quads(float logit, float scale, float u, std::uint32_t* scratch) {
  const int q = lane_id() & 3;
  const std::uint32_t p = weight_of(logit, scale, scratch);
  std::uint32_t up_to = sum_up_to<4>(p);  // of the code's eight
  std::uint32_t eights[3];
#pragma unroll
  for (int i = 0; i < 3; ++i) eights[i] = __shfl_sync(0xFFFFFFFFU, up_to, 28 + i);
#pragma unroll
  for (int i = 0; i < 3; ++i) up_to += q > i ? eights[i] : 0U;
  if (lane_id() == 31) scratch[8 + warp_id()] = up_to;
  __syncthreads();
  return is_drawn(p, up_to, u, scratch);
}

// Of the model's own distribution (temperature 1): ln p(code) and the entropy, in nats. One warp.
__device__ inline void likelihood(const float* logits, int vp, int code, float* log_prob,
                                  float* entropy) {
  const int each = vp / 32;
  const int first = lane_id() * each;
  float top = -3e38F;
  for (int j = 0; j < each; ++j) top = fmaxf(top, logits[first + j]);
  top = warp_max(top);
  float total = 0.0F;
  float moment = 0.0F;
  for (int j = 0; j < each; ++j) {
    const float l = logits[first + j] - top;
    const float p = exp2_fast(l * 1.44269504F);
    total += p;
    moment += p > 0.0F ? p * l : 0.0F;
  }
  total = warp_sum(total);
  moment = warp_sum(moment);
  if (lane_id() != 0) return;
  const float log_total = logf(total);
  if (log_prob != nullptr) *log_prob = logits[code] - top - log_total;
  if (entropy != nullptr) *entropy = fmaxf(0.0F, log_total - moment / total);
}

}  // namespace mambo::cuda
