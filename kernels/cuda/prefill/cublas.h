// cuBLAS' errors for MAMBO_CUDA (runtime/check.h). Only prefill multiplies with cuBLAS.
#pragma once

#include <cublas_v2.h>

#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {

inline void check(cublasStatus_t s, const char* what, const char* file, int line) {
  if (s != CUBLAS_STATUS_SUCCESS) fail(what, cublasGetStatusString(s), file, line);
}

}  // namespace mambo::cuda
