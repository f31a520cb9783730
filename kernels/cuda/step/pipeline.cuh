// A pipeline across SMs: stages of one CTA each for tier 0 (stage_resident.cuh), beside an inner
// group for the tiers inside (inner_group.cuh). Who waits for whom, sample by sample:
//
//   last stage -> first stage  the code drawn (or, absorbing, the next one given): so no stage gets
//                              ahead, and one place for x in each stage is enough
//   stage -> next stage        x
//   joining stage -> group     its row of x after the down layers, into a double-buffered inbox
//   group -> joining stage     the skip, double-buffered; waited for at the first sample of the
//                              group of samples that needs it
//
// A double buffer is enough: the joining stage sends rows of group g + 2 only after it has the skip
// of group g + 1, which the inner group made after it had read group g.
#pragma once

#include "kernels/cuda/step/exchange_cluster.cuh"

namespace mambo::cuda {

// mbarriers behind those of the exchange; each CTA has all of them, at the same place.
enum PipelineBar : int {
  kInX = kMessages,
  kInCode,
  kInRows,
  kInSkip = kInRows + 2,
  kBars = kInSkip + 2
};

__device__ inline std::uint32_t bar_at(const unsigned char* smem, int i) {
  return shared_address(smem) + 8U * static_cast<unsigned>(i);
}

// Every CTA of a cluster, before anything is sent.
__device__ inline void init_bars(const unsigned char* smem) {
  if (threadIdx.x < kBars) bar_init(bar_at(smem, static_cast<int>(threadIdx.x)));
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

}  // namespace mambo::cuda
