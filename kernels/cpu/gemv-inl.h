// y = init + W x for a packed matrix: 16 outputs a vector, four vectors at a time, the input
// broadcast from memory. Bound by the bytes of W: 3 vector instructions for 32 multiply-adds in
// half storage.
#if defined(MAMBO_KERNELS_CPU_GEMV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MAMBO_KERNELS_CPU_GEMV_INL_H_
#undef MAMBO_KERNELS_CPU_GEMV_INL_H_
#else
#define MAMBO_KERNELS_CPU_GEMV_INL_H_
#endif

#include <hwy/cache_control.h>

#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/packed.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

constexpr size_t kVecs = 16 / kLanes;  // vectors a block
// Words to ask for ahead of their use: 1 KiB covers the second-level cache's latency (measured: 8.2
// to 7.6 us for the outer tier of piano-lab; 0.5 and 2 KiB are as good, 4 KiB is worse than
// nothing).
constexpr int kAhead = 256;

// One group of kBlocks blocks. kSplit independent sums a vector hide the latency of the additions.
template <int kBlocks>
HWY_INLINE void GemvHalf(const uint32_t* HWY_RESTRICT w, const float* HWY_RESTRICT x, int pairs,
                         const float* init, float* y) {
  const hn::RebindToUnsigned<D> du;
  constexpr size_t kAcc = kBlocks * kVecs;
  V low[kAcc];
  V high[kAcc];
  MAMBO_UNROLL
  for (size_t i = 0; i < kAcc; ++i) {
    low[i] = init != nullptr ? hn::Load(d, init + i * kLanes) : hn::Zero(d);
    high[i] = hn::Zero(d);
  }
  for (int k = 0; k < pairs; ++k) {
    MAMBO_UNROLL
    for (int i = 0; i < kBlocks; ++i) hwy::Prefetch(w + kAhead + i * 16);
    const V x0 = hn::Set(d, x[2 * k]);
    const V x1 = hn::Set(d, x[2 * k + 1]);
    MAMBO_UNROLL
    for (size_t i = 0; i < kAcc; ++i) {
      const auto word = hn::Load(du, w + i * kLanes);
      low[i] = hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(word)), x0, low[i]);
      high[i] = hn::MulAdd(hn::BitCast(d, word), x1, high[i]);
    }
    w += kBlocks * 16;
  }
  MAMBO_UNROLL
  for (size_t i = 0; i < kAcc; ++i) hn::Store(hn::Add(low[i], high[i]), d, y + i * kLanes);
}

template <int kBlocks>
HWY_INLINE void GemvFull(const float* HWY_RESTRICT w, const float* HWY_RESTRICT x, int cols,
                         const float* init, float* y) {
  constexpr size_t kAcc = kBlocks * kVecs;
  V even[kAcc];
  V odd[kAcc];
  MAMBO_UNROLL
  for (size_t i = 0; i < kAcc; ++i) {
    even[i] = init != nullptr ? hn::Load(d, init + i * kLanes) : hn::Zero(d);
    odd[i] = hn::Zero(d);
  }
  int k = 0;
  for (; k + 1 < cols; k += 2) {
    MAMBO_UNROLL
    for (int i = 0; i < 2 * kBlocks; ++i) hwy::Prefetch(w + kAhead + i * 16);
    const V x0 = hn::Set(d, x[k]);
    const V x1 = hn::Set(d, x[k + 1]);
    MAMBO_UNROLL
    for (size_t i = 0; i < kAcc; ++i)
      even[i] = hn::MulAdd(hn::Load(d, w + i * kLanes), x0, even[i]);
    w += kBlocks * 16;
    MAMBO_UNROLL
    for (size_t i = 0; i < kAcc; ++i) odd[i] = hn::MulAdd(hn::Load(d, w + i * kLanes), x1, odd[i]);
    w += kBlocks * 16;
  }
  if (k < cols) {
    const V x0 = hn::Set(d, x[k]);
    MAMBO_UNROLL
    for (size_t i = 0; i < kAcc; ++i)
      even[i] = hn::MulAdd(hn::Load(d, w + i * kLanes), x0, even[i]);
  }
  MAMBO_UNROLL
  for (size_t i = 0; i < kAcc; ++i) hn::Store(hn::Add(even[i], odd[i]), d, y + i * kLanes);
}

// x: [m.cols], aligned; init: [m.rows] or null, may be y; y: [m.rows].
HWY_INLINE void Gemv(const cpu::PackedMatrix& m, const float* x, const float* init, float* y) {
  const int blocks = m.rows / 16;
  const bool half = m.storage == WeightStorage::half;
  const int steps = half ? m.cols / 2 : m.cols;
  const uint32_t* wh = m.half.data();
  const float* wf = m.full.data();
  for (int first = 0; first < blocks; first += 4) {
    const int group = HWY_MIN(4, blocks - first);
    const float* in = init != nullptr ? init + first * 16 : nullptr;
    float* out = y + first * 16;
    if (half) {
      switch (group) {
        case 4:
          GemvHalf<4>(wh, x, steps, in, out);
          break;
        case 3:
          GemvHalf<3>(wh, x, steps, in, out);
          break;
        case 2:
          GemvHalf<2>(wh, x, steps, in, out);
          break;
        default:
          GemvHalf<1>(wh, x, steps, in, out);
          break;
      }
    } else {
      switch (group) {
        case 4:
          GemvFull<4>(wf, x, steps, in, out);
          break;
        case 3:
          GemvFull<3>(wf, x, steps, in, out);
          break;
        case 2:
          GemvFull<2>(wf, x, steps, in, out);
          break;
        default:
          GemvFull<1>(wf, x, steps, in, out);
          break;
      }
    }
    const size_t words = static_cast<size_t>(group) * 16 * steps;
    if (half)
      wh += words;
    else
      wf += words;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
