#include "kernels/cuda/step/step_kernels.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/step/device_math.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {
namespace {

cudaLaunchConfig_t cluster_config(int ctas, std::size_t shared_bytes, cudaStream_t stream,
                                  cudaLaunchAttribute* attribute) {
  attribute->id = cudaLaunchAttributeClusterDimension;
  attribute->val.clusterDim.x = static_cast<unsigned>(ctas);
  attribute->val.clusterDim.y = 1;
  attribute->val.clusterDim.z = 1;
  cudaLaunchConfig_t c{};
  c.gridDim = dim3(static_cast<unsigned>(ctas));
  c.blockDim = dim3(kThreads);
  c.dynamicSmemBytes = shared_bytes;
  c.stream = stream;
  c.attrs = attribute;
  c.numAttrs = 1;
  return c;
}

int clusters_at_once(StepKernel kernel, int ctas, std::size_t shared_bytes) {
  allow_shared_memory(reinterpret_cast<const void*>(kernel));
  if (ctas > 8) {  // more than every device with clusters must offer
    MAMBO_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = cluster_config(ctas, shared_bytes, nullptr, &attribute);
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, kernel, &c) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return clusters;
}

}  // namespace

StepKernels single_kernel(WeightStorage storage, int together, Blocks blocks) {
  if (storage == WeightStorage::f32) return single_f32();
  if (together == 8) return blocks.has_s4d ? single_s4d_x8() : single_s6_x8();
  if (together == 4) return blocks.has_s4d ? single_s4d_x4() : single_s6_x4();
  return blocks.has_s4d ? single_s4d() : single_s6();
}

void launch_single(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                   cudaStream_t stream) {
  kernel<<<static_cast<unsigned>(ctas), kThreads, shared_bytes, stream>>>(launch);
  MAMBO_CUDA(cudaGetLastError());
}

StepKernels cluster_kernel(RoleKind group, std::optional<Mixer> stages, Blocks blocks) {
  if (!stages) return group == RoleKind::rows ? cluster_rows() : cluster_flat();
  const bool s4d = *stages == Mixer::s4d;
  if (group == RoleKind::rows) return s4d ? cluster_rows_s4d_any() : cluster_rows_s6_any();
  if (blocks.has_s4d) return s4d ? cluster_columns_s4d_any() : cluster_columns_s6_any();
  return s4d ? cluster_columns_s4d() : cluster_columns_s6();
}

int prepare_cluster(StepKernels kernels, int ctas, std::size_t shared_bytes) {
  return std::min(clusters_at_once(kernels.as_said, ctas, shared_bytes),
                  clusters_at_once(kernels.by_hand, ctas, shared_bytes));
}

void launch_cluster(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                    cudaStream_t stream) {
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = cluster_config(ctas, shared_bytes, stream, &attribute);
  MAMBO_CUDA(cudaLaunchKernelEx(&c, kernel, launch));
}

StepKernels grid_kernel(Blocks blocks) { return blocks.flat ? grid_flat() : grid_any(); }

int prepare_grid(StepKernels kernels, std::size_t shared_bytes) {
  int device = 0;
  int cooperative = 0;
  int sms = 0;
  MAMBO_CUDA(cudaGetDevice(&device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
  if (cooperative == 0) return 0;
  int per_sm = std::numeric_limits<int>::max();
  kernels.each([&](StepKernel kernel) {
    allow_shared_memory(reinterpret_cast<const void*>(kernel));
    int can = 0;
    MAMBO_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&can, kernel, kThreads, shared_bytes));
    per_sm = std::min(per_sm, can);
  });
  return per_sm * sms;
}

void launch_grid(StepKernel kernel, const Launch& launch, int ctas, std::size_t shared_bytes,
                 cudaStream_t stream) {
  Launch copy = launch;
  void* args[] = {&copy};
  MAMBO_CUDA(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                         dim3(static_cast<unsigned>(ctas)), dim3(kThreads), args,
                                         shared_bytes, stream));
}

}  // namespace mambo::cuda
