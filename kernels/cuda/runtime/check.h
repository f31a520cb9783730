// CUDA's errors as exceptions that name what was asked, where, and what came back. cuBLAS' are in
// prefill/products.h: its header takes seconds to compile.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <string>

#include "kernels/error.h"

namespace mambo::cuda {

// Whether the error is reported for the first time in this process. An error of a launch is sticky:
// every later call returns it again, those in destructors included. One line is enough.
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
  (void)cudaGetLastError();  // a refused launch leaves its error behind: cleared, it is thrown here
  (void)is_news(e);          // the catcher reports it
  fail(what, cudaGetErrorString(e), file, line);
}

// For destructors: writes one line to stderr, never throws; an error that was thrown or written
// before is not written again.
inline void log_failure(cudaError_t e, const char* what) noexcept {
  if (e != cudaSuccess && e != cudaErrorCudartUnloading && is_news(e))
    std::fprintf(stderr, "mambo: CUDA: %s (%s)\n", cudaGetErrorString(e), what);
}

}  // namespace mambo::cuda

// A call of CUDA (or cuBLAS, with prefill/products.h) whose failure is thrown as DeviceError.
#define MAMBO_CUDA(call) ::mambo::cuda::check((call), #call, __FILE__, __LINE__)
