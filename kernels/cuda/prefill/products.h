// Prefill's matrix products, by cuBLAS.
#pragma once

#include <cublas_v2.h>
#include <cuda_fp16.h>

#include <type_traits>

#include "kernels/cuda/prefill/prefill_matrix.h"
#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {

// For MAMBO_CUDA.
inline void check(cublasStatus_t s, const char* what, const char* file, int line) {
  if (s != CUBLAS_STATUS_SUCCESS) fail(what, cublasGetStatusString(s), file, line);
}

// Owns a handle, which takes its time to make. Work goes to the stream that it was made with.
class BlasHandle {
 public:
  explicit BlasHandle(cudaStream_t stream) {
    MAMBO_CUDA(cublasCreate(&blas_));
    try {
      MAMBO_CUDA(cublasSetStream(blas_, stream));
      // Products of halves are added up in float32 to the very end, also where cuBLAS splits a sum;
      // the default mode leaves products of float32 in float32 (no TF32).
      MAMBO_CUDA(cublasSetMathMode(
          blas_, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                           CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)));
    } catch (...) {
      (void)cublasDestroy(blas_);
      throw;
    }
  }
  ~BlasHandle() { (void)cublasDestroy(blas_); }
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;
  cublasHandle_t get() const { return blas_; }

 private:
  cublasHandle_t blas_ = nullptr;
};

// T: the storage of weights and activations, float or __half.
template <class T>
class Products {
 public:
  explicit Products(const BlasHandle& blas) : blas_(blas.get()) {}

  // out [n][m.rows] = x [n][m.columns] * m^T + beta * out, sums in float32; rows of x and out are
  // x_row and out_row apart. cuBLAS counts by columns: to it all of them are transposed.
  template <class Out>
  void multiply(const PrefillMatrix& m, const T* x, int x_row, int n, Out* out, int out_row,
                float beta) const {
    const float alpha = 1.0F;
    MAMBO_CUDA(cublasGemmEx(blas_, CUBLAS_OP_T, CUBLAS_OP_N, m.rows, n, m.columns, &alpha, m.data,
                            type_of<T>(), m.columns, x, type_of<T>(), x_row, &beta, out,
                            type_of<Out>(), out_row, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  }

 private:
  template <class V>
  static constexpr cudaDataType_t type_of() {
    return std::is_same_v<V, __half> ? CUDA_R_16F : CUDA_R_32F;
  }
  cublasHandle_t blas_;
};

}  // namespace mambo::cuda
