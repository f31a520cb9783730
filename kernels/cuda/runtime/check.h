// CUDA's and cuBLAS' errors as exceptions that name what was asked, where, and what came back.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <string>

#include "kernels/error.h"

namespace mambo::cuda {

// Whether it is said for the first time in this process. An error of a launch stays with the
// device: every call that follows gives it again, those of every destructor, too. One line is
// enough.
inline bool is_news(cudaError_t e) noexcept {
  static std::array<std::atomic<bool>, 1024> said{};  // of CUDA's numbers, which end with 999
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(e), said.size() - 1);
  return !said[i].exchange(true, std::memory_order_relaxed);
}

[[noreturn]] inline void fail(const char* what, const char* why, const char* file, int line) {
  throw DeviceError(std::string("CUDA: ") + why + " (" + what + ", " + file + ":" +
                    std::to_string(line) + ")");
}

inline void check(cudaError_t e, const char* what, const char* file, int line) {
  if (e == cudaSuccess) return;
  (void)cudaGetLastError();  // a launch that was refused leaves its error behind: it is said here
  (void)is_news(e);          // whoever catches it says it
  fail(what, cudaGetErrorString(e), file, line);
}

inline void check(cublasStatus_t s, const char* what, const char* file, int line) {
  if (s != CUBLAS_STATUS_SUCCESS) fail(what, cublasGetStatusString(s), file, line);
}

// For destructors: what fails there is said, never thrown; what was thrown before, or said, is not
// said again.
inline void log_failure(cudaError_t e, const char* what) noexcept {
  if (e != cudaSuccess && e != cudaErrorCudartUnloading && is_news(e))
    std::fprintf(stderr, "mambo: CUDA: %s (%s)\n", cudaGetErrorString(e), what);
}

}  // namespace mambo::cuda

// A call of CUDA or cuBLAS whose failure is thrown as DeviceError.
#define MAMBO_CUDA(call) ::mambo::cuda::check((call), #call, __FILE__, __LINE__)
