// The kernel with which one cluster plays one stream (sm_90). Its CTAs branch once, at its top: a
// stage of the pipeline, or a member of the group.
//
// A kernel for each mixer of the stages and each kind of group, not one that branches on all of
// them: what never meets in one cluster costs the others registers (ptxas 13.0, sm_90a, spill
// stores: flat columns 0 -> 12 and columns 8 -> 32 beside each other and rows; columns 8 -> 77
// beside stages of both mixers; rows alone 0 -> 52 beside stages; columns of S6 beside stages of
// S4D 92 -> 136 with S4D among them), and as one function it also compiles longer.
#pragma once

#include "kernels/cuda/step/inner_group.cuh"
#include "kernels/cuda/step/resident_layer.cuh"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

struct NoPipeline {};

template <StepMixer M, bool kByHand>
__device__ __forceinline__ void play_stage(const Launch& launch, unsigned char* smem, int rank) {
  ResidentStage<M, kByHand> stage(launch, smem, rank);
  stage.set_up();
  cluster_sync();
  stage.play();
}

template <class T, class Beside>
__device__ __forceinline__ void play_group(const Launch& launch, unsigned char* smem, int rank) {
  const Role& role = launch.roles[launch.stages];
  ClusterExchange exchange;
  exchange.members = role.members;
  exchange.base = role.first_rank;
  exchange.me = rank - role.first_rank;
  exchange.bars = bar_at(smem, 0);
  if constexpr (T::kColumns) exchange.find_peers();
  StepLaunch<T> step(launch, role, smem, exchange, launch.streams);
  Beside beside(step);
  beside.set_up();
  cluster_sync();
  step.play(beside);
  beside.keep();
}

// Stage: the mixer of the pipeline's layers, or NoPipeline: the group has all tiers. Mixers: of the
// group's layers.
template <RoleKind kGroup, class Stage, bool kByHand, StepMixer... Mixers>
__global__ void __launch_bounds__(kThreads, 1) play_cluster(const __grid_constant__ Launch launch) {
#if __CUDA_ARCH__ >= 900  // elsewhere it is never launched, and not worth compiling
  constexpr Split kSplit = kGroup == RoleKind::rows ? Split::rows : Split::columns;
  using Shape =
      std::conditional_t<kGroup == RoleKind::flat_columns, FlatShape,
                         std::conditional_t<kGroup == RoleKind::columns, FixedShape, AnyShape>>;
  using T = StepTraits<__half, 1, ClusterExchange, kSplit, Shape, kByHand, Mixers...>;
  extern __shared__ __align__(128) unsigned char smem[];
  const int rank = static_cast<int>(blockIdx.x);
  init_bars(smem);
  if constexpr (std::is_same_v<Stage, NoPipeline>) {
    play_group<T, Everything<T>>(launch, smem, rank);
  } else if (rank >= launch.stages) {
    play_group<T, InnerGroup<T>>(launch, smem, rank);
  } else {
    play_stage<Stage, kByHand>(launch, smem, rank);
  }
  cluster_sync();  // a CTA's shared memory must outlast others' stores into it
#endif
}

template <RoleKind kGroup, class Stage, StepMixer... Mixers>
StepKernels cluster_kernels() {
  return {play_cluster<kGroup, Stage, false, Mixers...>,
          play_cluster<kGroup, Stage, true, Mixers...>};
}

}  // namespace mambo::cuda
