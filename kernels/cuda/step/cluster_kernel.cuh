// The kernel with which one cluster plays one stream (sm_90). Its CTAs branch once, at its top: a
// stage of the pipeline, or a member of the group.
//
// A kernel for each mixer of the stages and each kind of group, not one that branches on all of
// them: what never meets in one cluster costs the others registers (ptxas 13.0, sm_90a, spill
// stores: flat columns 0 -> 12 and columns 8 -> 32 beside each other and rows; columns 8 -> 77
// beside stages of both mixers), and as one function it also compiles longer.
#pragma once

#include "kernels/cuda/step/pipeline.cuh"
#include "kernels/cuda/step/stage_resident.cuh"

namespace mambo::cuda {

template <bool kModes>
__device__ __forceinline__ void play_stage(const Launch& launch, unsigned char* smem, int rank) {
  ResidentStage<kModes> stage(launch, smem, rank);
  stage.set_up();
  cluster_sync();
  stage.play();
}

template <class Comm, class Beside>
__device__ __forceinline__ void play_group(const Launch& launch, unsigned char* smem, int rank) {
  const Role& role = launch.roles[launch.links];
  Comm comm;
  comm.members = role.members;
  comm.base = role.first_rank;
  comm.me = rank - role.first_rank;
  comm.bars = bar_at(smem, 0);
  if constexpr (Comm::kTeam) comm.set_up();
  StepLaunch<__half, 1, Comm> player(launch, role, smem, comm, launch.streams);
  Beside beside(player);
  beside.set_up();
  cluster_sync();
  player.play(beside);
  beside.keep();
}

// kGroup: rows and flat columns also without a pipeline. kModes: stages of S4D. kMixed: the group
// has S4D layers.
template <RoleKind kGroup, bool kModes, bool kMixed>
__global__ void __launch_bounds__(kSharedThreads, 1)
    play_cluster(const __grid_constant__ Launch launch) {
#if __CUDA_ARCH__ >= 900  // elsewhere it is never launched, and not worth compiling
  extern __shared__ __align__(128) unsigned char smem[];
  const int rank = static_cast<int>(blockIdx.x);
  init_bars(smem);
  if constexpr (kGroup == RoleKind::flat_columns) {
    play_group<Flat<Team>, Everything<__half, Flat<Team>>>(launch, smem, rank);
  } else if (rank >= launch.links) {
    using Comm = std::conditional_t<kGroup == RoleKind::rows, Cluster, Usual<Team>>;
    using Group = BlocksOf<Comm, kMixed>;
    play_group<Group, InnerGroup<__half, Group>>(launch, smem, rank);
  } else {
    play_stage<kModes>(launch, smem, rank);
  }
  cluster_sync();  // a CTA's shared memory must outlast others' stores into it
#endif
}

}  // namespace mambo::cuda
