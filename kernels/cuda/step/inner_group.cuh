// The tiers inside, in step with the pipeline beside them.
#pragma once

#include "kernels/cuda/step/launch_setup.cuh"
#include "kernels/cuda/step/pipeline.cuh"

namespace mambo::cuda {

template <class T>
struct InnerGroup {
  StepLaunch<T>& p;
  int joining = 0;  // the stage whose x joins the group of steps
  int begun = 0;    // rows of the first group that came before this launch
  int rows = 0;

  static constexpr bool kInner = true;

  __device__ explicit InnerGroup(StepLaunch<T>& launch) : p(launch) {
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
    const TierDev& t = p.a.net.tiers[0];
    p.bring_layers(t.down_end, t.up_begin);
    p.bring_tiers();
    copy_far(inbox(0), p.streams[0].state + t.pool_buffer_at, sizeof(float) * t.pool * t.wp);
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

  __device__ void put_skip(int g, int tile, const float (&v)[4]) const {
    const TierDev& t = p.a.net.tiers[0];
    const int buffer = (g + 1) & 1;
    float* skip = p.template at<float>(p.a.roles[joining].layout.skip[0]) + buffer * t.pool * t.wp;
    ClusterExchange::put_rows_to(joining, skip, bar_at(p.smem, kInSkip + buffer), tile, v[0], v[2]);
    CtaExchange().put_rows(kSkip, p.streams[0].state + t.skip_at, tile, v[0], v[2]);
  }

  __device__ void keep() {
    const TierDev& t = p.a.net.tiers[0];
    const int open = rows % t.pool - (rows < t.pool ? begun : 0);
    if (open > 0) wait_rows(rows / t.pool, open);  // must arrive before this CTA's memory goes
    __syncthreads();
    for (int i = t.down_end; i < t.up_begin; ++i) p.template state_of_layer<false>(p.layers[i]);
    if (p.k.exchange.me == 0) p.keep_tiers(1);
  }
};

}  // namespace mambo::cuda
