// Matrix products over many steps: C [rows][N] = init + A [rows][K] W^T.
//
// From weights packed once at load: a library packs both factors anew in every call, which for the
// shapes of a waveform model costs half as much as the product. Deep products go over 512 columns
// at a time, so that what all rows use stays in a cache.
#pragma once

#include <cstddef>

#include "kernels/cpu/linear.h"

namespace mambo::cpu {

enum class Init { bias, accumulate };  // C = bias + A W^T, or C += A W^T

void gemm(const float* A, std::size_t lda, const Linear& w, int rows, float* C, std::size_t ldc,
          Init init);

}  // namespace mambo::cpu
