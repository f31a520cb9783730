// Vector transcendentals for the inner loops: exp2, silu, softplus. Accurate to a few float ulps
// over what the network meets, and exact where it matters: exp2(0) == 1, so a state that is not to
// decay does not. (Per-target header: included once for each instruction set by Highway.)
#if defined(MAMBO_KERNELS_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_MATH_INL_H_
#undef MAMBO_KERNELS_CPU_MATH_INL_H_
#else
#define MAMBO_KERNELS_CPU_MATH_INL_H_
#endif

#include <hwy/highway.h>

// Loops over vectors that must stay in registers are unrolled whole; not under the sanitizers,
// whose checks multiplied by the unrolling take minutes to compile.
#ifndef MAMBO_UNROLL
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAMBO_UNROLL
#elif defined(__clang__)
#define MAMBO_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MAMBO_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Every kernel works on vectors of up to 16 floats: the block size of the packed layouts.
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr D d{};
HWY_INLINE V Const(float x) { return hn::Set(d, x); }
constexpr size_t kLanes = hn::MaxLanes(D());

// 2^x for x <= 126. A polynomial of degree 5 on [-1/2, 1/2] with constant term exactly 1 (relative
// error 2e-7) and a scaling by the exponent. Below -126 the result is 0 or as good as 0.
HWY_INLINE V Exp2(V x) {
  const V magic = Const(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
#if HWY_TARGET == HWY_AVX3
  const V r = hn::Sub(hn::Add(x, magic), magic);
#else
  x = hn::Max(x, Const(-126.0F));
  const V t = hn::Add(x, magic);
  const V r = hn::Sub(t, magic);
#endif
  const V f = hn::Sub(x, r);
  V p = hn::MulAdd(Const(1.338130254e-03F), f, Const(9.666368515e-03F));
  p = hn::MulAdd(p, f, Const(5.550381014e-02F));
  p = hn::MulAdd(p, f, Const(2.402234904e-01F));
  p = hn::MulAdd(p, f, Const(6.931471806e-01F));
  p = hn::MulAdd(p, f, Const(1.0F));
#if HWY_TARGET == HWY_AVX3
  return V{_mm512_scalef_ps(p.raw, r.raw)};  // one instruction; flushes to 0 by itself
#else
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, t))));
#endif
}

// 1/x to about 1 ulp for normal x: the hardware's estimate and Newton steps, cheaper than a
// division.
HWY_INLINE V Reciprocal(V x) {
  V y = hn::ApproximateReciprocal(x);
  y = hn::Mul(y, hn::NegMulAdd(x, y, Const(2.0F)));
#if HWY_TARGET != HWY_AVX3  // 12-bit estimates want a second step
  y = hn::Mul(y, hn::NegMulAdd(x, y, Const(2.0F)));
#endif
  return y;
}

constexpr float kLog2e = 1.4426950408889634F;

HWY_INLINE V Silu(V x) {
  const V e = Exp2(hn::Min(hn::Mul(x, Const(-kLog2e)), Const(126.0F)));
  return hn::Mul(x, Reciprocal(hn::Add(Const(1.0F), e)));
}

// ln(1 + e^x) = max(x, 0) + log1p(e^-|x|), log1p on (0, 1] by a polynomial of degree 9 without
// constant term, so that small results keep their relative precision (1e-7): Δ spans decades.
HWY_INLINE V Softplus(V x) {
  const V e = Exp2(hn::Mul(hn::Abs(x), Const(-kLog2e)));
  V p = hn::MulAdd(Const(5.126102141e-03F), e, Const(-2.907406468e-02F));
  p = hn::MulAdd(p, e, Const(7.751608674e-02F));
  p = hn::MulAdd(p, e, Const(-1.360224762e-01F));
  p = hn::MulAdd(p, e, Const(1.907688074e-01F));
  p = hn::MulAdd(p, e, Const(-2.483539899e-01F));
  p = hn::MulAdd(p, e, Const(3.331812171e-01F));
  p = hn::MulAdd(p, e, Const(-4.999944498e-01F));
  p = hn::MulAdd(p, e, Const(9.999999659e-01F));
  return hn::MulAdd(p, e, hn::Max(x, hn::Zero(d)));
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
