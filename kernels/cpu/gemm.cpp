#include "kernels/cpu/gemm.h"

#include <cblas.h>

#include <cstring>

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

void GemmPanels(const float* A, size_t lda, const cpu::PackedMatrix& w, int rows, const float* bias,
                float* C, size_t ldc) {
  const int blocks = w.rows / 16;
  const float* panel = w.full.data();
  for (int first = 0; first < blocks; first += 4) {
    const int group = HWY_MIN(4, blocks - first);
    const size_t stride = static_cast<size_t>(group) * 16;
    if (kLanes == 16) {  // one vector a block, 24 sums in 32 registers
      float* out = C + first * 16;
      const float* init = bias != nullptr ? bias + first * 16 : nullptr;
      switch (group) {
        case 4:
          Strip<4>(A, lda, panel, stride, w.cols, rows, init, out, ldc);
          break;
        case 3:
          Strip<3>(A, lda, panel, stride, w.cols, rows, init, out, ldc);
          break;
        case 2:
          Strip<2>(A, lda, panel, stride, w.cols, rows, init, out, ldc);
          break;
        default:
          Strip<1>(A, lda, panel, stride, w.cols, rows, init, out, ldc);
          break;
      }
    } else {  // 12 sums in 16 registers
      for (size_t at = 0; at < stride; at += 2 * kLanes) {
        const size_t out = static_cast<size_t>(first) * 16 + at;
        Strip<2>(A, lda, panel + at, stride, w.cols, rows, bias != nullptr ? bias + out : nullptr,
                 C + out, ldc);
      }
    }
    panel += stride * static_cast<size_t>(w.cols);
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
  if (w.dense.empty()) {
    HWY_DYNAMIC_DISPATCH(GemmPanels)
    (A, lda, w.panels, rows, init == Init::bias ? w.bias.data() : nullptr, C, ldc);
    return;
  }
  const int N = w.packed.rows;
  if (init == Init::bias) {
    for (int r = 0; r < rows; ++r) {
      std::memcpy(C + static_cast<std::size_t>(r) * ldc, w.bias.data(),
                  static_cast<std::size_t>(N) * sizeof(float));
    }
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, N, w.packed.cols, 1.0F, A,
              static_cast<blasint>(lda), w.dense.data(), w.packed.cols, 1.0F, C,
              static_cast<blasint>(ldc));
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
