// The streaming kernels, ready to be launched. Each function's first use on a device should be
// `prepare`, which raises the limit of shared memory and says whether the launch is possible.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "kernels/cuda/runtime/check.h"
#include "kernels/cuda/step/launch.h"

namespace mambo::cuda {

// The driver loads a kernel when it is first used: here, and not by the first launch of a stream
// that plays.
inline void load_kernel(const void* kernel) {
  cudaFuncAttributes attributes{};
  MAMBO_CUDA(cudaFuncGetAttributes(&attributes, kernel));
}

// The limit belongs to the kernel, not to the engine that raises it: so every engine raises it to
// what the device has, lest a smaller engine lower it for a bigger one.
inline void allow_shared_memory(const void* kernel) {
  load_kernel(kernel);
  int device = 0;
  int most = 0;
  MAMBO_CUDA(cudaGetDevice(&device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  MAMBO_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
}

using StepKernel = void (*)(const Launch);

// What of a model's layers kernels are compiled for.
struct Blocks {
  bool usual = false;  // K = 4, and N of at most 16
  bool mixed = false;  // some, or all, are time-invariant
};

// One CTA a stream (or a few streams a CTA: `together`, 1, 4 or 8; 1 only in float32).
void prepare_alone(WeightStorage storage, int together, Blocks blocks);
void launch_alone(WeightStorage storage, int together, Blocks blocks, const Launch& launch,
                  int ctas, std::size_t shared_bytes, cudaStream_t stream);

// flat_team: a Team plays a flat model; …_team: a Team beside the chain. narrow_…, modes_…: of
// narrow links, selective ones or time-invariant ones.
enum class ClusterKind : std::uint8_t {
  group,
  flat_team,
  chain,
  narrow_chain,
  chain_team,
  narrow_chain_team,
  modes_chain,
  modes_chain_team
};

// One cluster of `ctas`. prepare returns how many such clusters fit on the device; 0: none.
int prepare_cluster(WeightStorage storage, ClusterKind kind, Blocks blocks, int ctas,
                    std::size_t shared_bytes);
void launch_cluster(WeightStorage storage, ClusterKind kind, Blocks blocks, const Launch& launch,
                    int ctas, std::size_t shared_bytes, cudaStream_t stream);
// Of a model with time-invariant layers (step_cluster_mixed.cu).
StepKernel mixed_cluster_kernel(WeightStorage storage, ClusterKind kind);

// `ctas` that run at the same time, anywhere. prepare returns how many can.
// flat: the model has one tier, of usual selective blocks.
int prepare_grid(WeightStorage storage, bool flat, Blocks blocks, std::size_t shared_bytes);
void launch_grid(WeightStorage storage, bool flat, Blocks blocks, const Launch& launch, int ctas,
                 std::size_t shared_bytes, cudaStream_t stream);

}  // namespace mambo::cuda
