// CUDA's and cuBLAS' errors as exceptions that name what was asked, where, and what came back.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <string>

#include "kernels/error.h"

namespace mambo::cuda {

[[noreturn]] inline void fail(const char* what, const char* why, const char* file, int line) {
  throw DeviceError(std::string("CUDA: ") + why + " (" + what + ", " + file + ":" +
                    std::to_string(line) + ")");
}

inline void check(cudaError_t e, const char* what, const char* file, int line) {
  if (e == cudaSuccess) return;
  (void)cudaGetLastError();  // a launch that was refused leaves its error behind: it is said here
  fail(what, cudaGetErrorString(e), file, line);
}

inline void check(cublasStatus_t s, const char* what, const char* file, int line) {
  if (s != CUBLAS_STATUS_SUCCESS) fail(what, cublasGetStatusString(s), file, line);
}

// For destructors: what fails there is said, never thrown.
inline void log_failure(cudaError_t e, const char* what) noexcept {
  if (e != cudaSuccess && e != cudaErrorCudartUnloading)
    std::fprintf(stderr, "mambo: CUDA: %s (%s)\n", cudaGetErrorString(e), what);
}

}  // namespace mambo::cuda

// A call of CUDA or cuBLAS whose failure is thrown as DeviceError.
#define MAMBO_CUDA(call) ::mambo::cuda::check((call), #call, __FILE__, __LINE__)
