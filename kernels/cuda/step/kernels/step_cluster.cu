// One cluster plays one stream: the kernels of selective models, and their launch.
#include "kernels/cuda/step/cluster_kernel.cuh"

namespace mambo::cuda {
namespace {

StepKernel kernel_for(WeightStorage storage, ClusterKind kind, Blocks blocks) {
  if (blocks.mixed) return mixed_cluster_kernel(storage, kind);
  if (storage == WeightStorage::f32) {
    return kind == ClusterKind::chain ? play_cluster<float, ClusterKind::chain, false>
                                      : play_cluster<float, ClusterKind::group, false>;
  }
  if (kind == ClusterKind::flat_team) return play_cluster<__half, ClusterKind::flat_team, false>;
  if (kind == ClusterKind::narrow_chain)
    return play_cluster<__half, ClusterKind::narrow_chain, false>;
  if (kind == ClusterKind::chain_team) return play_cluster<__half, ClusterKind::chain_team, false>;
  if (kind == ClusterKind::narrow_chain_team)
    return play_cluster<__half, ClusterKind::narrow_chain_team, false>;
  return kind == ClusterKind::chain ? play_cluster<__half, ClusterKind::chain, false>
                                    : play_cluster<__half, ClusterKind::group, false>;
}

cudaLaunchConfig_t config(int ctas, std::size_t shared_bytes, cudaStream_t stream,
                          cudaLaunchAttribute* attribute) {
  attribute->id = cudaLaunchAttributeClusterDimension;
  attribute->val.clusterDim.x = static_cast<unsigned>(ctas);
  attribute->val.clusterDim.y = 1;
  attribute->val.clusterDim.z = 1;
  cudaLaunchConfig_t c{};
  c.gridDim = dim3(static_cast<unsigned>(ctas));
  c.blockDim = dim3(kSharedThreads);
  c.dynamicSmemBytes = shared_bytes;
  c.stream = stream;
  c.attrs = attribute;
  c.numAttrs = 1;
  return c;
}

}  // namespace

int prepare_cluster(WeightStorage storage, ClusterKind kind, Blocks blocks, int ctas,
                    std::size_t shared_bytes) {
  const StepKernel kernel = kernel_for(storage, kind, blocks);
  allow_shared_memory(reinterpret_cast<const void*>(kernel));
  if (ctas > 8) {  // more than every device with clusters must offer
    MAMBO_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = config(ctas, shared_bytes, nullptr, &attribute);
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, kernel, &c) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return clusters;
}

void launch_cluster(WeightStorage storage, ClusterKind kind, Blocks blocks, const Launch& launch,
                    int ctas, std::size_t shared_bytes, cudaStream_t stream) {
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = config(ctas, shared_bytes, stream, &attribute);
  MAMBO_CUDA(cudaLaunchKernelEx(&c, kernel_for(storage, kind, blocks), launch));
}

}  // namespace mambo::cuda
