// Sum, least and largest of a CTA's values, for the summaries of delta that steps and prefill give.
#pragma once

#include <cuda_runtime.h>

#include "kernels/observe.h"

namespace mambo::cuda {

// What a thread has seen of its share.
struct Seen {
  float sum = 0.0F, low = 3e38F, high = -3e38F;

  __device__ void add(float x) {
    sum += x;
    low = fminf(low, x);
    high = fmaxf(high, x);
  }
};

// What all kThreads threads (a power of two) of the CTA have seen, `values` values of `steps`
// steps, into *out; added in a fixed order. All threads meet; the first one writes.
template <int kThreads>
__device__ void write_summary(const Seen& seen, int values, int steps, LayerSummary* out) {
  __shared__ float3 all[kThreads];  // sum, least, largest
  const auto me = static_cast<int>(threadIdx.x);
  all[me] = {seen.sum, seen.low, seen.high};
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (me >= half) continue;
    const float3 a = all[me];
    const float3 b = all[me + half];
    all[me] = {a.x + b.x, fminf(a.y, b.y), fmaxf(a.z, b.z)};
  }
  if (me != 0) return;
  *out = values > 0 ? LayerSummary{all[0].x / static_cast<float>(values), all[0].y, all[0].z, steps}
                    : LayerSummary{0.0F, 0.0F, 0.0F, steps};
}

}  // namespace mambo::cuda
