// The element-wise work of prefill over many steps at once, but for the mixers'.
// Row-major [rows][columns] throughout; dimensions padded as in network.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/network.h"

namespace mambo::cpu {

// y[r] = rmsnorm(x[r]) * weight.
void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  float* y);

// u[r] = silu(conv_bias + sum_k conv[k] * in[r - (K-1) + k]); in has row stride `stride` and K-1
// rows of history before it.
void conv_silu_rows(const Layer& l, int K, const float* in, std::size_t stride, int rows, float* u);

}  // namespace mambo::cpu
