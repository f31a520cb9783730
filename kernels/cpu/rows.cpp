#include "kernels/cpu/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

using cpu::Layer;
constexpr int kStep = static_cast<int>(kLanes);

void RmsNormRows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                 float* y) {
  for (int r = 0; r < rows; ++r) {
    RmsNorm(x + static_cast<size_t>(r) * wp, weight, width, wp, eps,
            y + static_cast<size_t>(r) * wp);
  }
}

void ConvSiluRows(const Layer& l, int K, const float* in, size_t stride, int rows, float* u) {
  for (int r = 0; r < rows; ++r) {
    const float* newest = in + static_cast<size_t>(r) * stride;
    float* out = u + static_cast<size_t>(r) * l.dp;
    for (int c = 0; c < l.dp; c += kStep) {
      V acc = hn::Load(d, l.conv_bias.data() + c);
      const float* row = newest - static_cast<size_t>(K - 1) * stride + c;
      for (int k = 0; k < K; ++k, row += stride) {
        acc = hn::MulAdd(hn::Load(d, l.conv.data() + static_cast<size_t>(k) * l.dp + c),
                         hn::Load(d, row), acc);
      }
      hn::Store(Silu(acc), d, out + c);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(RmsNormRows);
HWY_EXPORT(ConvSiluRows);

namespace cpu {

void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  float* y) {
  HWY_DYNAMIC_DISPATCH(RmsNormRows)(x, weight, width, wp, eps, rows, y);
}
void conv_silu_rows(const Layer& l, int K, const float* in, std::size_t stride, int rows,
                    float* u) {
  HWY_DYNAMIC_DISPATCH(ConvSiluRows)(l, K, in, stride, rows, u);
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
