// The streaming kernels, ready to be launched. Each function's first use on a device should be
// `prepare`, which raises the limit of shared memory and says whether the launch is possible.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <optional>

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

struct StepKernels {
  StepKernel as_said;
  StepKernel by_hand;  // also plays selectivity by hand (StreamArgs::by_hand), of any stream

  template <class F>
  void each(F f) const {
    f(as_said);
    f(by_hand);
  }
};

// What of a model's layers kernels are compiled for.
struct Blocks {
  bool fixed = false;    // K = 4, and N of at most 16
  bool has_s4d = false;  // some, or all, are S4D; beside a pipeline: of the group's layers
  bool flat = false;     // one tier, of fixed S6 layers
};

// One CTA plays a stream, or, of half weights and fixed blocks, `together` (1, 4 or 8) streams.
StepKernels single_kernel(WeightStorage storage, int together, Blocks blocks);
void launch_single(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                   cudaStream_t stream);

// One cluster of `ctas`, each with its own Role; half weights. stages: the mixer of the pipeline's
// layers, if there is one; group: the kind of the CTAs that are not stages (of a pipeline alone:
// columns). prepare returns how many such clusters fit on the device; 0: none.
StepKernels cluster_kernel(RoleKind group, std::optional<Mixer> stages, Blocks blocks);
int prepare_cluster(StepKernels kernels, int ctas, std::size_t shared_bytes);
void launch_cluster(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                    cudaStream_t stream);

// `ctas` that run at the same time, anywhere; half weights. prepare returns how many can.
StepKernels grid_kernel(Blocks blocks);
int prepare_grid(StepKernels kernels, std::size_t shared_bytes);
void launch_grid(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                 cudaStream_t stream);

}  // namespace mambo::cuda
