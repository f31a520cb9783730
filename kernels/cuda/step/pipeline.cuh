// A chain of single CTAs for tier 0, beside an inner group for the tiers inside (player.cuh).
//
// Who waits for whom, a sample at a time:
//   last link -> first link   the code drawn (or, absorbing, the next one given): so no link ever
//                             gets ahead, and one place for x in each link is enough
//   link -> next link         x
//   joining link -> inner     its row of x after the down blocks, into one of two inboxes in turn
//   inner -> joining link     up, into one of two places in turn; waited for at the first sample of
//                             the group that needs it
// The two places are enough because the joining link sends rows of group g + 2 only after it has up
// of group g + 1, which the inner group made after it had read group g.
#pragma once

#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {

// mbarriers behind those of the exchanges; each CTA has all of them, at the same place.
enum ChainBar : int { kInX = kKinds, kInCode, kInRows, kInUp = kInRows + 2, kBars = kInUp + 2 };

__device__ inline std::uint32_t bar_at(const unsigned char* smem, int i) {
  return shared_address(smem) + 8U * static_cast<unsigned>(i);
}

// Every CTA of a cluster, before anything is sent.
__device__ inline void init_bars(const unsigned char* smem) {
  if (threadIdx.x < kBars) bar_init(bar_at(smem, static_cast<int>(threadIdx.x)));
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

using LinkAlone = AloneOf<kSharedWarps>;

// The tiers inside, in step with the chain.
template <class W, class Comm>
struct InnerGroup {
  StepLaunch<W, 1, Comm>& p;
  int joining = 0, begun = 0, rows = 0;

  // Whether there is a pipeline: beside columns always, and rows may have all tiers to themselves,
  // by the same code.
  __device__ bool inner() const { return Comm::kTeam || p.a.links > 0; }

  __device__ explicit InnerGroup(StepLaunch<W, 1, Comm>& player) : p(player) {
    if (!inner()) return;
    const TierDev& t = p.a.net.tiers[0];
    while (p.a.roles[joining].end < t.down_end) ++joining;
    begun = static_cast<int>(p.a.tiers[0].phase);
    rows = begun + p.a.steps;
  }

  __device__ float* inbox(int buffer) const {
    const TierDev& t = p.a.net.tiers[0];
    return p.template at<float>(p.role.layout.inbox) + buffer * t.pool * t.wp;
  }

  __device__ void set_up() {
    if (!inner()) return p.set_up();
    const TierDev& t = p.a.net.tiers[0];
    p.bring_layers(t.down_end, t.up_begin);
    p.bring_tiers();
    p.copy16(inbox(0), p.streams[0].state + t.group_at, sizeof(float) * t.pool * t.wp);
  }

  __device__ int rounds() const { return rows / p.a.net.tiers[0].pool; }

  __device__ void wait_rows(int g, int n) const {
    const std::uint32_t bar = bar_at(p.smem, kInRows + (g & 1));
    if (threadIdx.x == 0) bar_expect(bar, static_cast<std::uint32_t>(n * p.a.net.tiers[0].wp) * 4U);
    bar_wait(bar, static_cast<std::uint32_t>(g >> 1) & 1U);
  }

  __device__ const float* wait_group(int g) const {
    const int pool = p.a.net.tiers[0].pool;
    wait_rows(g, g == 0 ? pool - begun : pool);
    return inbox(g & 1);
  }

  __device__ void put_up(int g, int tile, const float (&v)[4]) const {
    const TierDev& t = p.a.net.tiers[0];
    const int buffer = (g + 1) & 1;
    float* up = p.template at<float>(p.a.roles[joining].layout.up[0]) + buffer * t.pool * t.wp;
    Cluster::put_rows_to(joining, up, bar_at(p.smem, kInUp + buffer), tile, v[0], v[2]);
    LinkAlone().put_rows(kP, p.streams[0].state + t.up_at, tile, v[0], v[2]);
  }

  __device__ void keep() {
    if (!inner()) return p.keep();
    const TierDev& t = p.a.net.tiers[0];
    const int open = rows % t.pool - (rows < t.pool ? begun : 0);
    if (open > 0) wait_rows(rows / t.pool, open);  // must arrive before this CTA's memory goes
    __syncthreads();
    for (int i = t.down_end; i < t.up_begin; ++i) p.template state_of_layer<false>(p.layers[i]);
    if (p.k.comm.me == 0) p.keep_tiers(1);
  }
};

}  // namespace mambo::cuda
