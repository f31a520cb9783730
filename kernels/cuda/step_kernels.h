// The streaming kernels, ready to be launched. Each function's first use on a device should be
// `prepare`, which raises the limit of shared memory and says whether the launch is possible.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"

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

// One CTA a stream (or a few streams a CTA: `together`, 1, 4 or 8; 1 only in float32). usual: the
// model has K = 4 and N of at most 16, for which several streams have a kernel of their own.
void prepare_alone(WeightStorage storage, int together, bool usual);
void launch_alone(WeightStorage storage, int together, bool usual, const Launch& launch, int ctas,
                  std::size_t shared_bytes, cudaStream_t stream);

// flat_team: a Team plays a flat model; chain_team, narrow_chain_team: a Team beside the chain.
enum class ClusterKind : std::uint8_t {
  group,
  flat_team,
  chain,
  narrow_chain,
  chain_team,
  narrow_chain_team
};

// One cluster of `ctas`. prepare returns how many such clusters fit on the device; 0: none.
int prepare_cluster(WeightStorage storage, ClusterKind kind, int ctas, std::size_t shared_bytes);
void launch_cluster(WeightStorage storage, ClusterKind kind, const Launch& launch, int ctas,
                    std::size_t shared_bytes, cudaStream_t stream);

// `ctas` that run at the same time, anywhere. prepare returns how many can.
int prepare_grid(WeightStorage storage, bool flat, std::size_t shared_bytes);
void launch_grid(WeightStorage storage, bool flat, const Launch& launch, int ctas,
                 std::size_t shared_bytes, cudaStream_t stream);

}  // namespace mambo::cuda
