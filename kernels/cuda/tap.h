// Reduces a launch's delta, as the streaming kernels left it, to sum, min and max per layer.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace mambo::cuda {

struct TapJob {
  std::uint32_t at;  // LayerDev::tap_at
  int dp, d_inner;
  int steps;  // of the layer's tier in this launch
};

struct TapResult {
  float sum, min, max;  // over steps and channels; undefined without steps
};

// Loads the kernel, which its first launch would do otherwise.
void prepare_tap();

// From a launch's tap buffer: one result per layer, and all rows of layer `chosen` (-1: none)
// without padding, [steps][d_inner]. host_jobs, results and rows are pinned memory; jobs is a place
// on the device for as many. Deterministic; a few microseconds.
void summarise_tap(const float* tap, const TapJob* host_jobs, TapJob* jobs, int n_layers,
                   int chosen, TapResult* results, float* rows, cudaStream_t stream);

}  // namespace mambo::cuda
