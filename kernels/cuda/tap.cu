#include "kernels/cuda/tap.h"

#include "kernels/cuda/runtime/summary.cuh"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {
namespace {

constexpr int kTapThreads = 1024;
constexpr int kAtOnce = 8;  // loads on their way

// One CTA a layer; sums in a fixed order. A thread takes every 1024th element of the padded rows;
// padding is left out.
__global__ void __launch_bounds__(kTapThreads)
    summarise(const float* tap, const TapJob* jobs, LayerSummary* results) {
  const TapJob job = jobs[blockIdx.x];
  const float* from = tap + job.at;
  const int n = job.steps * job.dp;
  Seen seen;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kAtOnce * kTapThreads) {
    float x[kAtOnce];
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) {
      const int at = i + j * kTapThreads;
      x[j] = at < n ? from[at] : 0.0F;
    }
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) {
      const int at = i + j * kTapThreads;
      if (at >= n || at % job.dp >= job.d_inner) continue;
      seen.add(x[j]);
    }
  }
  write_summary<kTapThreads>(seen, job.steps * job.d_inner, job.steps, results + blockIdx.x);
}

}  // namespace

void prepare_tap() { load_kernel(reinterpret_cast<const void*>(summarise)); }

void summarise_tap(const float* tap, const TapJob* host_jobs, TapJob* jobs, int n_layers,
                   int chosen, LayerSummary* results, float* rows, cudaStream_t stream) {
  MAMBO_CUDA(cudaMemcpyAsync(jobs, host_jobs, static_cast<std::size_t>(n_layers) * sizeof(TapJob),
                             cudaMemcpyHostToDevice, stream));
  summarise<<<static_cast<unsigned>(n_layers), kTapThreads, 0, stream>>>(tap, jobs, results);
  MAMBO_CUDA(cudaGetLastError());
  if (chosen < 0 || host_jobs[chosen].steps == 0) return;
  const TapJob& job = host_jobs[chosen];
  const auto floats = [](int n) { return static_cast<std::size_t>(n) * sizeof(float); };
  MAMBO_CUDA(cudaMemcpy2DAsync(rows, floats(job.d_inner), tap + job.at, floats(job.dp),
                               floats(job.d_inner), static_cast<std::size_t>(job.steps),
                               cudaMemcpyDeviceToHost, stream));
}

}  // namespace mambo::cuda
