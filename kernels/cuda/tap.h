// Reduces a launch's delta, as the streaming kernels left it, to one summary per layer.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/observe.h"

namespace mambo::cuda {

struct TapJob {
  std::uint32_t at;  // LayerDev::tap_at
  int dp, d_inner;
  int steps;  // of the layer's tier in this launch
};

// Loads the kernel, which its first launch would do otherwise.
void prepare_tap();

// From a launch's tap buffer: one summary per layer, and all rows of layer `chosen` (-1: none)
// without padding, [steps][d_inner]. host_jobs, results and rows are pinned memory; jobs is a place
// on the device for as many. Deterministic; a few microseconds.
void summarise_tap(const float* tap, const TapJob* host_jobs, TapJob* jobs, int n_layers,
                   int chosen, LayerSummary* results, float* rows, cudaStream_t stream);

}  // namespace mambo::cuda
