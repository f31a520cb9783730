#include "kernels/cuda/scale.h"

#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {
namespace {

constexpr int kScaleThreads = 256;

__global__ void scale_kernel(float* x, int n, float factor) {
  const int i = static_cast<int>(blockIdx.x) * kScaleThreads + static_cast<int>(threadIdx.x);
  if (i < n) x[i] *= factor;
}

}  // namespace

void scale(float* x, int n, float factor, cudaStream_t stream) {
  const auto ctas = static_cast<unsigned>((n + kScaleThreads - 1) / kScaleThreads);
  scale_kernel<<<ctas, kScaleThreads, 0, stream>>>(x, n, factor);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace mambo::cuda
