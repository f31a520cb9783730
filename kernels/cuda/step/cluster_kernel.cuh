// The kernel with which one cluster plays one stream (sm_90): as a chain with an inner group, or as
// one group.
#pragma once

#include "kernels/cuda/step/pipeline.cuh"
#include "kernels/cuda/step/stage_resident.cuh"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

template <class W, class Comm>
__device__ void play_link(const Launch& launch, unsigned char* smem, int rank) {
  StepLaunch<W, 1, Comm> player(launch, launch.roles[rank], smem, Comm{}, launch.streams);
  Link<W, Comm> link(player, rank);
  link.set_up();
  cluster_sync();
  link.play();
}

template <bool kModes>
__device__ void play_narrow_link(const Launch& launch, unsigned char* smem, int rank) {
  ResidentStage<kModes> link(launch, smem, rank);
  link.set_up();
  cluster_sync();
  link.play();
}

// kInner: the tiers inside, beside a chain; else everything.
template <class W, bool kInner, class Comm>
__device__ void play_group(const Launch& launch, unsigned char* smem, int rank) {
  const Role& role = launch.roles[launch.links];
  Comm comm;
  comm.members = role.members;
  comm.base = role.first_rank;
  comm.me = rank - role.first_rank;
  comm.bars = bar_at(smem, 0);
  if constexpr (Comm::kTeam) comm.set_up();
  StepLaunch<W, 1, Comm> player(launch, role, smem, comm, launch.streams);
  if constexpr (kInner) {
    InnerGroup<W, Comm> inner(player);
    inner.set_up();
    cluster_sync();
    player.play(inner);
    inner.keep();
  } else {
    player.set_up();
    cluster_sync();
    typename StepLaunch<W, 1, Comm>::Everything everything;
    player.play(everything);
    player.keep();
  }
}

// kMixed: of a model with time-invariant layers.
template <class W, ClusterKind kKind, bool kMixed>
__global__ void __launch_bounds__(kSharedThreads, 1)
    play_cluster(const __grid_constant__ Launch launch) {
#if __CUDA_ARCH__ >= 900  // elsewhere it is never launched, and not worth compiling
  extern __shared__ __align__(128) unsigned char smem[];
  const int rank = static_cast<int>(blockIdx.x);
  init_bars(smem);
  if constexpr (kKind == ClusterKind::flat_team) {
    play_group<W, false, Flat<Team>>(launch, smem, rank);
  } else if (kKind != ClusterKind::group && rank < launch.links) {
    if constexpr (kKind == ClusterKind::narrow_chain || kKind == ClusterKind::narrow_chain_team) {
      play_narrow_link<false>(launch, smem, rank);
    } else if constexpr (kKind == ClusterKind::modes_chain ||
                         kKind == ClusterKind::modes_chain_team) {
      play_narrow_link<true>(launch, smem, rank);
    } else {
      play_link<W, BlocksOf<LinkAlone, kMixed>>(launch, smem, rank);
    }
  } else if constexpr (kKind == ClusterKind::narrow_chain_team ||
                       kKind == ClusterKind::modes_chain_team) {
    play_group<W, true, BlocksOf<Usual<Team>, kMixed>>(launch, smem, rank);
  } else if constexpr (kKind == ClusterKind::chain_team) {
    play_group<W, true, BlocksOf<Team, kMixed>>(launch, smem, rank);
  } else {
    play_group<W, kKind != ClusterKind::group, BlocksOf<Cluster, kMixed>>(launch, smem, rank);
  }
  cluster_sync();  // nobody leaves while others may still write here
#endif
}

}  // namespace mambo::cuda
