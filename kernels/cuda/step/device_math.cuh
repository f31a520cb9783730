// What every phase of a step computes with: a thread's place in its CTA, functions of one number,
// sums over lanes, halves.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

namespace mambo::cuda {

// Eight warps per CTA, not sixteen: barriers are shorter, and each warp has the registers to
// prefetch far ahead (measured: a batch is 1.4 times as fast).
constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;

__device__ inline int lane_id() { return static_cast<int>(threadIdx.x) & 31; }
__device__ inline int warp_id() { return static_cast<int>(threadIdx.x) >> 5; }

// ---- Functions of one number: results too small to matter are flushed to zero, and none has a
// slow path.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float log2_fast(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float inverse_root(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float silu(float x) { return x * reciprocal(1.0F + exp2_fast(x * -1.44269504F)); }

// ln(1 + e^x), to a relative 1e-6 also where e^x is small (delta of a slow channel is 1e-3).
__device__ inline float softplus(float x) {
  const float e = exp2_fast(x * 1.44269504F);
  const float series = e * (1.0F - e * (0.5F - e * (0.33333333F - e * (0.25F - e * 0.2F))));
  const float direct = log2_fast(1.0F + e) * 0.69314718F;
  return x > 15.0F ? x : (e < 0.06F ? series : direct);
}

// ---- Sums, in the one order that every plan has
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFU, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFU, x, 2);
}

__device__ inline float dot4(const float4& a, const float4& b) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, a.x * b.x)));
}

// Sum of squares of eight neighbours, by pairs: as lanes that hold one each would add them up.
__device__ inline float squares8(const float4& a, const float4& b) {
  // No fused multiply-adds: those would depend on which of the two is added to which.
  const auto two = [](float x, float y) { return __fadd_rn(__fmul_rn(x, x), __fmul_rn(y, y)); };
  return (two(a.x, a.y) + two(a.z, a.w)) + (two(b.x, b.y) + two(b.z, b.w));
}
// The same where each of eight lanes kStep apart holds one: in every lane.
template <int kStep>
__device__ inline float squares8(float v) {
  float sum = __fmul_rn(v, v);
#pragma unroll
  for (int lanes = kStep; lanes < 8 * kStep; lanes *= 2)
    sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, lanes));
  return sum;
}

// The causal convolution of a window of four, oldest first.
__device__ inline float convolve4(float bias, const float4& w, const float (&past)[3], float now) {
  float sum = fmaf(w.x, past[0], bias);
  sum = fmaf(w.y, past[1], sum);
  sum = fmaf(w.z, past[2], sum);
  return fmaf(w.w, now, sum);
}

// ---- Halves
// What half cannot hold saturates instead of becoming infinite. (A NaN stays one where the
// conversion saturates by itself, and becomes the largest number where it does not.)
__device__ inline std::uint32_t pack_half2(float a, float b) {
#if __CUDA_ARCH__ >= 800 && __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1201
  std::uint32_t packed;
  asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(b), "f"(a));
  return packed;
#elif __CUDA_ARCH__ >= 800
  const __half2 most = __half2half2(__ushort_as_half(0x7BFF));
  const __half2 h = __hmax2(__hmin2(__floats2half2_rn(a, b), most), __hneg2(most));
  return *reinterpret_cast<const std::uint32_t*>(&h);
#else
  const __half2 h =
      __floats2half2_rn(fminf(fmaxf(a, -65504.0F), 65504.0F), fminf(fmaxf(b, -65504.0F), 65504.0F));
  return *reinterpret_cast<const std::uint32_t*>(&h);
#endif
}
// Activations as products read them: of half weights in half precision.
__device__ inline void store_act(__half* p, float x) {
  const std::uint32_t h = pack_half2(x, 0.0F);
  *p = __ushort_as_half(static_cast<unsigned short>(h));
}
__device__ inline void store_act(float* p, float x) { *p = x; }

}  // namespace mambo::cuda
