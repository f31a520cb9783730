// What the kernels of prefill share: storage in float32 or fp16, two or four channels at a time,
// and the elementary functions, each with its cost in instructions of the special-function unit
// (MUFU, 16 a clock and SM, an eighth of the FMA rate).
#pragma once

#include <cuda_fp16.h>

namespace mambo::cuda::prefill_math {

// fp16 ends at 65504. What is larger stays there when it is stored; a product of cuBLAS may have
// left an infinity, which becomes 65504 where it is read through a `finite` load.
constexpr float kHalfMax = 65504.0F;
__device__ inline __half2 finite2(__half2 v) {
  const __half2 most = __float2half2_rn(kHalfMax);
  return __hmax2(__hmin2(v, most), __hneg2(most));
}

__device__ inline float load1(const float* p) { return *p; }
__device__ inline float load1(const __half* p) { return __half2float(*p); }
__device__ inline float load1_finite(const float* p) { return *p; }
__device__ inline float load1_finite(const __half* p) {
  return fminf(fmaxf(__half2float(*p), -kHalfMax), kHalfMax);
}
__device__ inline void store1(float* p, float v) { *p = v; }
__device__ inline void store1(__half* p, float v) {
  *p = __float2half_rn(fminf(fmaxf(v, -kHalfMax), kHalfMax));
}

__device__ inline float2 load2(const float* p) { return *reinterpret_cast<const float2*>(p); }
__device__ inline float2 load2(const __half* p) {
  return __half22float2(*reinterpret_cast<const __half2*>(p));
}
__device__ inline float2 load2_finite(const float* p) { return load2(p); }
__device__ inline float2 load2_finite(const __half* p) {
  return __half22float2(finite2(*reinterpret_cast<const __half2*>(p)));
}
__device__ inline void store2(float* p, float2 v) { *reinterpret_cast<float2*>(p) = v; }
__device__ inline void store2(__half* p, float2 v) {
  *reinterpret_cast<__half2*>(p) = finite2(__floats2half2_rn(v.x, v.y));
}

__device__ inline float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ inline float4 load4_finite(const float* p) { return load4(p); }
__device__ inline float4 load4_finite(const __half* p) {
  const uint2 raw = *reinterpret_cast<const uint2*>(p);
  const float2 a = __half22float2(finite2(*reinterpret_cast<const __half2*>(&raw.x)));
  const float2 b = __half22float2(finite2(*reinterpret_cast<const __half2*>(&raw.y)));
  return {a.x, a.y, b.x, b.y};
}
__device__ inline void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
__device__ inline void store4(__half* p, float4 v) {
  const __half2 a = finite2(__floats2half2_rn(v.x, v.y));
  const __half2 b = finite2(__floats2half2_rn(v.z, v.w));
  uint2 raw;
  raw.x = *reinterpret_cast<const unsigned*>(&a);
  raw.y = *reinterpret_cast<const unsigned*>(&b);
  *reinterpret_cast<uint2*>(p) = raw;
}

// 2^x by the special-function unit: one MUFU, relative error below 2e-7.
__device__ inline float exp2_mufu(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// 2^x for x <= 0 without MUFU, 11 instructions: Cody-Waite, then degree 5 over [-1/2, 1/2] with the
// constant exactly 1, so that a decay close to 1 is as good as its argument; relative error 2e-7.
__device__ inline float exp2_fma(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  x = fmaxf(x, -126.0F);
  const float r = x + kRound;
  const float f = x - (r - kRound);
  float p = 0.0013381302F;
  p = fmaf(p, f, 0.0096663684F);
  p = fmaf(p, f, 0.055503812F);
  p = fmaf(p, f, 0.24022350F);
  p = fmaf(p, f, 0.69314718F);
  p = fmaf(p, f, 1.0F);
  return __int_as_float(__float_as_int(p) + (__float_as_int(r) << 23));
}

// x / (1 + e^-x): two MUFU.
__device__ inline float silu(float x) { return __fdividef(x, 1.0F + exp2_mufu(-1.44269504F * x)); }

// ln(1 + e^x): three MUFU. Small results keep their relative accuracy (they are decays): ln(1 + e)
// = 2 atanh(e / (2 + e)), whose series needs five terms up to e = 1/2.
__device__ inline float softplus(float x) {
  if (x > 20.0F) return x;
  const float e = exp2_mufu(1.44269504F * x);
  const float s = __fdividef(e, 2.0F + e);
  const float q = s * s;
  float series = fmaf(q, 1.0F / 9.0F, 1.0F / 7.0F);
  series = fmaf(series, q, 1.0F / 5.0F);
  series = fmaf(series, q, 1.0F / 3.0F);
  series = fmaf(series, q, 1.0F);
  return e <= 0.5F ? 2.0F * s * series : __logf(1.0F + e);
}

}  // namespace mambo::cuda::prefill_math
