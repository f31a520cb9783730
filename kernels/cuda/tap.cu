#include "kernels/cuda/tap.h"

#include "kernels/cuda/check.h"

namespace mambo::cuda {
namespace {

constexpr int kTapThreads = 256;

// One CTA a layer; sums in a fixed order.
__global__ void summarise(const float* tap, const TapJob* jobs, int chosen, TapResult* results,
                          float* rows) {
  __shared__ float sums[kTapThreads], lows[kTapThreads], highs[kTapThreads];
  const TapJob job = jobs[blockIdx.x];
  const bool keep = static_cast<int>(blockIdx.x) == chosen;
  const int n = job.steps * job.d_inner;
  float sum = 0.0F;
  float low = 3e38F;
  float high = -3e38F;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kTapThreads) {
    const float x = tap[job.at + static_cast<std::uint32_t>(i / job.d_inner * job.dp) +
                        static_cast<std::uint32_t>(i % job.d_inner)];
    sum += x;
    low = fminf(low, x);
    high = fmaxf(high, x);
    if (keep) rows[i] = x;
  }
  sums[threadIdx.x] = sum;
  lows[threadIdx.x] = low;
  highs[threadIdx.x] = high;
  for (int half = kTapThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) >= half) continue;
    sums[threadIdx.x] += sums[threadIdx.x + half];
    lows[threadIdx.x] = fminf(lows[threadIdx.x], lows[threadIdx.x + half]);
    highs[threadIdx.x] = fmaxf(highs[threadIdx.x], highs[threadIdx.x + half]);
  }
  if (threadIdx.x == 0) results[blockIdx.x] = {sums[0], lows[0], highs[0]};
}

}  // namespace

void summarise_tap(const float* tap, const TapJob* jobs, int n_layers, int chosen,
                   TapResult* results, float* rows, cudaStream_t stream) {
  summarise<<<static_cast<unsigned>(n_layers), kTapThreads, 0, stream>>>(tap, jobs, chosen, results,
                                                                          rows);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace mambo::cuda
