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
constexpr int kSharedThreads = 32 * kSharedWarps;

template <class W, class Comm>
struct Link {
  StepLaunch<W, 1, Comm>& p;
  int rank;
  std::uint32_t phase_x = 0, phase_code = 0;
  std::uint32_t phase, slot;  // of tier 0
  int groups = 0;             // begun in this launch, the open one not counted
  bool first, last, joins;
  int inner_members;

  __device__ Link(StepLaunch<W, 1, Comm>& player, int r) : p(player), rank(r) {
    first = rank == 0;
    last = rank == p.a.links - 1;
    const TierDev& t = p.a.net.tiers[0];
    phase = p.a.tiers[0].phase;
    slot = p.a.tiers[0].slot;
    joins = t.pool > 0 && p.role.begin < t.down_end && t.down_end <= p.role.end;
    inner_members = p.a.n_roles > p.a.links ? p.a.roles[p.a.links].members : 0;
  }

  // The i-th layer of tier 0, in data-flow order: its up blocks stand behind the tiers inside.
  __device__ int layer(int i) const {
    const TierDev& t = p.a.net.tiers[0];
    return i < t.down_end ? i : i - t.down_end + t.up_begin;
  }

  __device__ void expect_and_wait(int bar, std::uint32_t bytes, std::uint32_t parity) const {
    if (threadIdx.x == 0) bar_expect(bar_at(p.smem, bar), bytes);
    bar_wait(bar_at(p.smem, bar), parity);
  }

  __device__ void set_up() {
    for (int i = p.role.begin; i < p.role.end; ++i) p.bring_layer(layer(i));
    if (last) p.bring_head();
    if (first) p.bring_embed();
    if (joins) {
      const TierDev& t = p.a.net.tiers[0];
      p.copy16(p.template at<float>(p.role.layout.up[0]), p.streams[0].state + t.up_at,
               sizeof(float) * t.pool * t.wp);
    }
  }

  // The last link draws, and tells the first; what was drawn is also looked at, but later.
  __device__ void send_code(int step) const {
    if (warp_id() != 0) return;
    const StreamArgs& me = p.streams[0];
    const float* l = p.k.logits;
    int code;
    if (p.a.drawing != 0) {
      code = draw(l, p.k.vocab, p.k.vp, me.temperature, me.top_k, me.top_p, p.u_next);
    } else {
      code = me.forced[step];
    }
    if (lane_id() == 0) {
      const uint4 word = make_uint4(static_cast<std::uint32_t>(code), 0, 0, 0);
      store_async(of_rank(shared_address(p.codes), 0), word, of_rank(bar_at(p.smem, kInCode), 0));
      if (p.a.drawing != 0) me.codes[step] = static_cast<std::uint8_t>(code);
    }
    if (p.a.drawing != 0) tell(me, l, p.k.vocab, p.k.vp, step, code);
    p.u_next = p.random_number(0, step + 1);
  }

  // x joins the group (a row to the inner group and to the state) and is joined by up.
  __device__ void join(const TierDev& t) {
    auto& k = p.k;
    k.wait_x(t.wp);
    const int at_row = static_cast<int>(phase) * t.wp;
    const int chunks = t.wp / 4;
    const int i = static_cast<int>(threadIdx.x);
    const bool sends = i < inner_members * chunks;
    uint4 row{};
    if (sends) row = reinterpret_cast<const uint4*>(k.x)[i % chunks];
    if (phase == 0 && groups > 0) wait_up(t);
    __syncthreads();  // every row is read before x changes
    if (sends) {
      const int buffer = groups & 1;
      const float* to = p.template at<float>(p.a.roles[p.a.links].layout.inbox) +
                        buffer * t.pool * t.wp + at_row + i % chunks * 4;
      const int peer = p.a.links + i / chunks;
      store_async(of_rank(shared_address(to), peer), row,
                  of_rank(bar_at(p.smem, kInRows + buffer), peer));
    }
    if (i < t.wp) {
      const float v = k.x[i];
      p.streams[0].state[t.group_at + at_row + i] = v;
      const float* up = p.template at<float>(p.role.layout.up[0]) + (groups & 1) * t.pool * t.wp;
      k.x[i] = v + up[at_row + i];
    }
    k.pending = StepLaunch<W, 1, Comm>::Pending::barrier;
  }

  // up of the group that begins: bytes of the whole of it.
  __device__ void wait_up(const TierDev& t) const {
    expect_and_wait(kInUp + (groups & 1), static_cast<std::uint32_t>(t.pool * t.wp) * 4U,
                    static_cast<std::uint32_t>((groups - 1) >> 1) & 1U);
  }

  __device__ void play() {
    const TierDev& t = p.a.net.tiers[0];
    auto& k = p.k;
#pragma unroll 1
    for (int step = 0; step < p.a.steps; ++step) {
      if (last) send_code(step);
      if (first) {
        expect_and_wait(kInCode, 16, phase_code);
        phase_code ^= 1;
        p.embed_codes(t.wp);
      } else {
        expect_and_wait(kInX, static_cast<std::uint32_t>(t.wp) * 4U, phase_x);
        phase_x ^= 1;
      }
#pragma unroll 1
      for (int i = p.role.begin; i < p.role.end; ++i) {
        k.block(p.layers[layer(i)], slot, static_cast<std::uint32_t>(step));
        if (joins && i + 1 == t.down_end) join(t);
      }
      if (last) {
        if (p.a.drawing != 0 || step + 1 == p.a.steps)
          k.head_product(p.head, p.a.net.head_bias, 1.0F / static_cast<float>(t.width), t.wp);
        else
          k.wait_x(t.wp);
      } else {
        k.wait_x(t.wp);
        const int i = static_cast<int>(threadIdx.x);
        if (i < t.wp / 4) {
          store_async(of_rank(shared_address(k.x + i * 4), rank + 1),
                      reinterpret_cast<const uint4*>(k.x)[i],
                      of_rank(bar_at(p.smem, kInX), rank + 1));
        }
        // The next code is embedded after all of x has been sent: it is drawn from this x. So this
        // orders nothing that is not in order; but racecheck does not see what goes by way of other
        // CTAs, and the first link waits for them anyway.
        if (first) __syncthreads();
      }
      slot = slot + 1 == static_cast<std::uint32_t>(k.K) ? 0 : slot + 1;
      if (t.pool > 0 && ++phase == static_cast<std::uint32_t>(t.pool)) {
        phase = 0;
        ++groups;
      }
    }
    // What is still on its way here must arrive before this CTA's memory goes.
    if (joins && phase == 0 && groups > 0) wait_up(t);
    __syncthreads();
    for (int i = p.role.begin; i < p.role.end; ++i)
      p.template state_of_layer<false>(p.layers[layer(i)]);
    if (last) p.keep_logits();
  }
};

// The tiers inside, in step with the chain.
template <class W, class Comm>
struct InnerGroup {
  static constexpr bool kInner = true;
  StepLaunch<W, 1, Comm>& p;
  int joining = 0, begun = 0, rows = 0;

  __device__ explicit InnerGroup(StepLaunch<W, 1, Comm>& player) : p(player) {
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
    const TierDev& t = p.a.net.tiers[0];
    const int open = rows % t.pool - (rows < t.pool ? begun : 0);
    if (open > 0) wait_rows(rows / t.pool, open);  // must arrive before this CTA's memory goes
    __syncthreads();
    for (int i = t.down_end; i < t.up_begin; ++i) p.template state_of_layer<false>(p.layers[i]);
    if (p.k.comm.me == 0) p.keep_tiers(1);
  }
};

}  // namespace mambo::cuda
