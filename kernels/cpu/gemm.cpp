#include "kernels/cpu/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

// kRows rows times kVecs vectors of outputs in registers; the weights stream by, each vector used
// kRows times, each input broadcast and used kVecs times. panel: [K][panel_stride], at the first
// output.
template <int kRows, int kVecs>
HWY_INLINE void Tile(const float* HWY_RESTRICT A, size_t lda, const float* HWY_RESTRICT panel,
                     size_t panel_stride, int K, const float* bias, float* C, size_t ldc) {
  V acc[kRows * kVecs];
  MAMBO_UNROLL
  for (int r = 0; r < kRows; ++r) {
    MAMBO_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* from = bias != nullptr ? bias : C + static_cast<size_t>(r) * ldc;
      acc[r * kVecs + v] = hn::LoadU(d, from + static_cast<size_t>(v) * kLanes);
    }
  }
  for (int k = 0; k < K; ++k, panel += panel_stride) {
    V w[kVecs];
    MAMBO_UNROLL
    for (int v = 0; v < kVecs; ++v) w[v] = hn::Load(d, panel + static_cast<size_t>(v) * kLanes);
    MAMBO_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const V a = Const(A[static_cast<size_t>(r) * lda + k]);
      MAMBO_UNROLL
      for (int v = 0; v < kVecs; ++v) acc[r * kVecs + v] = hn::MulAdd(w[v], a, acc[r * kVecs + v]);
    }
  }
  MAMBO_UNROLL
  for (int r = 0; r < kRows; ++r) {
    MAMBO_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      hn::StoreU(acc[r * kVecs + v], d,
                 C + static_cast<size_t>(r) * ldc + static_cast<size_t>(v) * kLanes);
    }
  }
}

template <int kVecs>
HWY_INLINE void Strip(const float* A, size_t lda, const float* panel, size_t panel_stride, int K,
                      int rows, const float* bias, float* C, size_t ldc) {
  int r = 0;
  for (; r + 6 <= rows; r += 6)
    Tile<6, kVecs>(A + r * lda, lda, panel, panel_stride, K, bias, C + r * ldc, ldc);
  for (; r + 2 <= rows; r += 2)
    Tile<2, kVecs>(A + r * lda, lda, panel, panel_stride, K, bias, C + r * ldc, ldc);
  if (r < rows) Tile<1, kVecs>(A + r * lda, lda, panel, panel_stride, K, bias, C + r * ldc, ldc);
}

// Up to 64 outputs over a stretch of K columns.
void GemmGroup(const float* A, size_t lda, const float* panel, int blocks, int K, int rows,
               const float* bias, float* C, size_t ldc) {
  const size_t stride = static_cast<size_t>(blocks) * 16;
  if (kLanes == 16) {  // one vector a block, 24 sums in 32 registers
    switch (blocks) {
      case 4:
        Strip<4>(A, lda, panel, stride, K, rows, bias, C, ldc);
        break;
      case 3:
        Strip<3>(A, lda, panel, stride, K, rows, bias, C, ldc);
        break;
      case 2:
        Strip<2>(A, lda, panel, stride, K, rows, bias, C, ldc);
        break;
      default:
        Strip<1>(A, lda, panel, stride, K, rows, bias, C, ldc);
        break;
    }
    return;
  }
  for (size_t at = 0; at < stride; at += 2 * kLanes) {  // 12 sums in 16 registers
    Strip<2>(A, lda, panel + at, stride, K, rows, bias != nullptr ? bias + at : nullptr, C + at,
             ldc);
  }
}

// All rows pass over a stretch of a panel while it stands in a second-level cache: 128 kB.
constexpr int kDepth = 512;

void GemmPanels(const float* A, size_t lda, const cpu::PackedMatrix& w, int rows, const float* bias,
                float* C, size_t ldc) {
  const int blocks = w.rows / 16;
  const float* panel = w.full.data();
  for (int first = 0; first < blocks; first += 4) {
    const int group = HWY_MIN(4, blocks - first);
    const size_t out = static_cast<size_t>(first) * 16;
    for (int k = 0; k < w.cols; k += kDepth) {
      const int depth = HWY_MIN(kDepth, w.cols - k);
      const float* init = bias != nullptr && k == 0 ? bias + out : nullptr;
      GemmGroup(A + k, lda, panel, group, depth, rows, init, C + out, ldc);
      panel += static_cast<size_t>(group) * 16 * static_cast<size_t>(depth);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(GemmPanels);

namespace cpu {

void gemm(const float* A, std::size_t lda, const Linear& w, int rows, float* C, std::size_t ldc,
          Init init) {
  if (rows == 0) return;
  HWY_DYNAMIC_DISPATCH(GemmPanels)
  (A, lda, w.panels, rows, init == Init::bias ? w.bias.data() : nullptr, C, ldc);
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
