// One cluster plays one stream of a model with time-invariant layers.
#include "kernels/cuda/step/cluster_kernel.cuh"

namespace mambo::cuda {

StepKernel mixed_cluster_kernel(WeightStorage storage, ClusterKind kind) {
  if (storage == WeightStorage::f32) {
    return kind == ClusterKind::chain ? play_cluster<float, ClusterKind::chain, true>
                                      : play_cluster<float, ClusterKind::group, true>;
  }
  switch (kind) {
    case ClusterKind::chain:
      return play_cluster<__half, ClusterKind::chain, true>;
    case ClusterKind::chain_team:
      return play_cluster<__half, ClusterKind::chain_team, true>;
    case ClusterKind::narrow_chain:
      return play_cluster<__half, ClusterKind::narrow_chain, true>;
    case ClusterKind::narrow_chain_team:
      return play_cluster<__half, ClusterKind::narrow_chain_team, true>;
    case ClusterKind::modes_chain:
      return play_cluster<__half, ClusterKind::modes_chain, true>;
    case ClusterKind::modes_chain_team:
      return play_cluster<__half, ClusterKind::modes_chain_team, true>;
    default:
      return play_cluster<__half, ClusterKind::group, true>;
  }
}

}  // namespace mambo::cuda
