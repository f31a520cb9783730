// Matrix products over many steps: C [rows][N] = init + A [rows][K] W^T.
//
// Products of modest depth (K up to 512: nearly all of a waveform model's) run here, from weights
// packed once at load: BLAS packs both factors anew in every call, which for such shapes costs half
// as much as the product. Deeper ones go to BLAS, whose blocking for the caches pays there.
#pragma once

#include <cstddef>

#include "kernels/cpu/linear.h"

namespace mambo::cpu {

enum class Init { bias, accumulate };  // C = bias + A W^T, or C += A W^T

void gemm(const float* A, std::size_t lda, const Linear& w, int rows, float* C, std::size_t ldc,
          Init init);

}  // namespace mambo::cpu
