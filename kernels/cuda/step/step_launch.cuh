// The whole of a launch: a CTA sets up, advances its streams `steps` samples, and puts everything
// back. Two ways to share out a model:
//
//   one group   all CTAs share every product of every tier (one CTA alone, a cluster, a grid);
//   a chain     links of one CTA each run a few layers of tier 0 and hand x on, the last link also
//               draws; the rest of the cluster, the inner group, shares the tiers inside. A tier
//               inside steps while the outer one goes on: its result is wanted only after the next
//               sample's down blocks.
#pragma once

#include "kernels/cuda/step/layer_columns.cuh"
#include "kernels/cuda/step/layer_in_proj.cuh"
#include "kernels/cuda/step/layer_s4d.cuh"

namespace mambo::cuda {

// From global into shared memory by all `threads` of a CTA, with many loads on their way at once.
// Whole 16 bytes; somebody waits later.
__device__ inline void copy_far(void* to, const void* from, std::size_t bytes, int threads) {
  const auto n = static_cast<int>(bytes / 16);
  int i = static_cast<int>(threadIdx.x);
  for (; i + 7 * threads < n; i += 8 * threads) {
    uint4 v[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) v[j] = static_cast<const uint4*>(from)[i + j * threads];
#pragma unroll
    for (int j = 0; j < 8; ++j) static_cast<uint4*>(to)[i + j * threads] = v[j];
  }
  for (; i < n; i += threads) static_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
}

struct Cursor {  // of a tier, as the launch goes on
  std::uint32_t phase, slot, row;
};

// What was drawn, for those who asked. One warp.
__device__ inline void tell(const StreamArgs& me, const float* logits, int vocab, int vp, int step,
                            int code) {
  if (me.log_prob != nullptr || me.entropy != nullptr) {
    likelihood(logits, vp, code, me.log_prob == nullptr ? nullptr : me.log_prob + step,
               me.entropy == nullptr ? nullptr : me.entropy + step);
  }
  if (me.logits != nullptr) {
    for (int i = lane_id(); i < vocab; i += 32)
      me.logits[static_cast<std::size_t>(step) * vocab + i] = logits[i];
  }
}

template <class W, int NS, class Comm>
struct StepLaunch {
  static constexpr int kThreads = 32 * Comm::kWarps;
  using Pending = typename LayerStep<W, NS, Comm>::Pending;
  LayerStep<W, NS, Comm> k;
  const Launch& a;
  const Role& role;
  unsigned char* smem;
  const StreamArgs* streams;  // of this CTA
  LayerRun<W>* layers;
  TierRun<W>* tiers;
  int* codes;  // [NS]
  const W* embed;
  const W* head;
  Cursor* cursor;  // [tiers], shared: kept by the first thread, read when a tier begins its step
  float u_next = 0.0F;  // the next random number of the stream that this warp draws for

  template <class T>
  __device__ T* at(std::uint32_t offset) const {
    return offset == kNowhere ? nullptr : reinterpret_cast<T*>(smem + offset);
  }

  __device__ StepLaunch(const Launch& launch, const Role& r, unsigned char* shared,
                        const Comm& comm, const StreamArgs* mine)
      : a(launch), role(r), smem(shared), streams(at<StreamArgs>(r.layout.args)) {
    const Layout& o = role.layout;
    copy16(at<StreamArgs>(o.args), mine, sizeof(StreamArgs) * NS);
    __syncthreads();
    k.comm = comm;
    layers = at<LayerRun<W>>(o.layers);
    tiers = at<TierRun<W>>(o.tiers);
    codes = at<int>(o.codes);
    k.layers = layers;
    k.tiers = tiers;
    k.states = at<float*>(o.states);
    k.x = at<float>(o.x);
    k.xq = at<float>(o.xq);
    k.dbc = at<float>(o.dbc);
    k.dbc_next = at<float>(o.dbc_next);
    k.uf = at<float>(o.uf);
    k.zf = at<float>(o.zf);
    k.logits = at<float>(o.logits);
    k.part = at<float>(o.part);
    k.u = at<W>(o.u);
    k.y = at<W>(o.y);
    k.xh = at<W>(o.xh);
    k.parts_d = at<float>(o.parts_d);
    k.parts_x = at<float>(o.parts_x);
    k.x_stride = o.x_stride;
    k.act_stride = o.act_stride;
    k.dbc_stride = o.dbc_stride;
    k.own_stride = o.own_stride;
    k.K = Comm::kUsual ? 4 : a.net.K;
    k.np = Comm::kUsual ? 16 : a.net.np;
    k.vocab = a.net.vocab;
    k.vp = a.net.vp;
    k.eps = a.net.eps;
    k.tap = streams[0].tap;
    cursor = at<Cursor>(o.cursors);
    if (static_cast<int>(threadIdx.x) < a.net.n_tiers)
      cursor[threadIdx.x] = {a.tiers[threadIdx.x].phase, a.tiers[threadIdx.x].slot, 0};
    u_next = random_number(warp_id() < NS ? warp_id() : 0, 0);
    if (threadIdx.x < NS) at<float*>(o.states)[threadIdx.x] = streams[threadIdx.x].state;
  }

  // ---- Setting up and putting back ------------------------------------------------------------
  __device__ static void copy16(void* to, const void* from, std::size_t bytes) {
    copy_far(to, from, bytes, kThreads);
  }

  // Elements [begin, end) of an array of `size` elements each: into shared memory if it has a place
  // there. Returns the pointer that global indices reach it by.
  template <class T>
  __device__ const T* bring(std::uint32_t place, const void* from, int begin, int end,
                            std::size_t size) const {
    const T* all = static_cast<const T*>(from);
    if (place == kNowhere) return all;
    T* here = at<T>(place);
    copy16(here, all + begin * size, (end - begin) * size * sizeof(T));
    return here - begin * static_cast<std::ptrdiff_t>(size);
  }

  // Of each tile (`pairs` of 32 columns) `own` pairs from `first` on; tile_size: elements from tile
  // to tile of what is returned.
  __device__ const W* bring_columns(std::uint32_t place, const void* from, int tiles, int pairs,
                                    int first, int own, int& tile_size) const {
    constexpr int kPairWords = 1024 / 16;
    const W* mine = static_cast<const W*>(from) + first * 512;
    tile_size = (place == kNowhere ? pairs : own) * 512;
    if (place == kNowhere) return mine;
    const auto* words = reinterpret_cast<const uint4*>(mine);
    auto* here = at<uint4>(place);
    const int each = own * kPairWords;
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.x); i < tiles * each; i += kThreads)
      here[i] = words[i / each * pairs * kPairWords + i % each];
    return reinterpret_cast<const W*>(here);
  }

  // Layer i; every thread.
  __device__ void bring_layer(int i) {
    const int members = k.comm.members;
    const int me = k.comm.me;
    const LayerDev& d = a.net.layers[i];
    const Resident& at_home = role.resident[i];
    LayerRun<W> l;
    l.inv_width = 1.0F / static_cast<float>(d.width);
    l.wp = d.wp;
    l.dp = d.dp;
    l.r4 = d.r4;
    l.rp = d.rp;
    l.xp = d.xp;
    l.tier = d.tier;
    l.unit_floats = d.unit_floats;
    if constexpr (Comm::kMixed) l.hp = d.hp;
    l.h_at = d.h_at;
    l.conv_at = d.conv_at;
    l.tap_at = d.tap_at;
    l.out_bias = d.out_bias;
    share(d.dp / 8, members, me, l.unit_begin, l.unit_end);
    share(d.wp / 16, members, me, l.row_begin, l.row_end);
    l.dbc_begin = 0;
    l.dbc_end = d.xp / 16;
    if (role.split_dbc != 0) share(d.xp / 16, members, me, l.dbc_begin, l.dbc_end);
    l.in_proj = bring<W>(at_home.in_proj, d.in_proj, l.unit_begin, l.unit_end, 16 * d.wp);
    if constexpr (Comm::kTeam) {
      const int first = l.unit_begin / 4;
      const int own = (l.unit_end - l.unit_begin) / 4;
      l.x_proj =
          bring_columns(at_home.x_proj, d.x_proj, d.xp / 16, d.dp / 32, first, own, l.x_tile);
      l.out_proj =
          bring_columns(at_home.out_proj, d.out_proj, d.wp / 16, d.dp / 32, first, own, l.out_tile);
    } else {
      l.x_proj = bring<W>(at_home.x_proj, d.x_proj, l.dbc_begin, l.dbc_end, 16 * d.dp);
      l.out_proj = bring<W>(at_home.out_proj, d.out_proj, l.row_begin, l.row_end, 16 * d.dp);
    }
    l.unit = bring<float>(at_home.unit, d.unit, l.unit_begin, l.unit_end, d.unit_floats);
    float* h = at<float>(at_home.h);
    float* conv = at<float>(at_home.conv);
    l.h = h == nullptr ? nullptr
                       : h - static_cast<std::ptrdiff_t>(l.unit_begin) * NS * 8 * k.h_floats(l);
    l.conv =
        conv == nullptr ? nullptr : conv - static_cast<std::ptrdiff_t>(l.unit_begin) * NS * 8 * k.K;
    state_of_layer<true>(l);
    if (threadIdx.x == 0) layers[i] = l;
  }
  __device__ void bring_layers(int begin, int end) {
#pragma unroll 1
    for (int i = begin; i < end; ++i) bring_layer(i);
  }

  // Copies what of a layer's state stands in shared memory, from the streams' states or back.
  template <bool kIn>
  __device__ void state_of_layer(const LayerRun<W>& l) const {
    const int units = l.unit_end - l.unit_begin;
    const int per = 8 * k.h_floats(l);
    if (l.h != nullptr) {
      for (int i = static_cast<int>(threadIdx.x); i < units * NS * per; i += kThreads) {
        const int unit = l.unit_begin + i / (NS * per);
        float* there = streams[i / per % NS].state + l.h_at + unit * per + i % per;
        float* here = l.h + static_cast<std::ptrdiff_t>(l.unit_begin) * NS * per + i;
        if (kIn)
          *here = *there;
        else
          *there = *here;
      }
    }
    if (l.conv != nullptr) {
      const int ring = 8 * k.K;
      for (int i = static_cast<int>(threadIdx.x); i < units * NS * ring; i += kThreads) {
        const int unit = l.unit_begin + i / (NS * ring);
        float* there =
            streams[i / ring % NS].state + l.conv_at + i % ring / 8 * l.dp + unit * 8 + i % 8;
        float* here = l.conv + static_cast<std::ptrdiff_t>(l.unit_begin) * NS * ring + i;
        if (kIn)
          *here = *there;
        else
          *there = *here;
      }
    }
  }

  __device__ void bring_tiers() {
    for (int s = 0; s < a.net.n_tiers; ++s) {
      const TierDev& d = a.net.tiers[s];
      TierRun<W> t;
      t.down_bias = d.down_bias;
      t.up_bias = d.up_bias;
      t.group_at = d.group_at;
      t.up_at = d.up_at;
      t.inv_width = 1.0F / static_cast<float>(d.width);
      t.wp = d.wp;
      t.pool = d.pool;
      t.down_begin = d.down_begin;
      t.down_end = d.down_end;
      t.up_begin = d.up_begin;
      t.up_end = d.up_end;
      t.down_pool = static_cast<const W*>(d.down_pool);
      t.up_pool = static_cast<const W*>(d.up_pool);
      t.group = at<float>(role.layout.group[s]);
      t.up = at<float>(role.layout.up[s]);
      if (d.pool > 0) {
        const int inner = a.net.tiers[s + 1].wp;
        int begin, end;
        share(inner / 16, k.comm.members, k.comm.me, begin, end);
        t.down_pool = bring<W>(role.down_pool[s], d.down_pool, begin, end, 16 * d.pool * d.wp);
        share(d.pool * d.wp / 16, k.comm.members, k.comm.me, begin, end);
        t.up_pool = bring<W>(role.up_pool[s], d.up_pool, begin, end, 16 * inner);
        if (t.group != nullptr)
          copy16(t.group, streams[0].state + d.group_at, sizeof(float) * d.pool * d.wp);
        if (t.up != nullptr)
          copy16(t.up, streams[0].state + d.up_at, sizeof(float) * d.pool * d.wp);
      }
      if (threadIdx.x == 0) tiers[s] = t;
    }
  }

  __device__ void bring_head() {
    int begin, end;
    share(a.net.vp / 16, k.comm.members, k.comm.me, begin, end);
    head = bring<W>(role.head, a.net.head, begin, end, 16 * a.net.tiers[0].wp);
    for (int i = static_cast<int>(threadIdx.x); i < NS * k.vp; i += kThreads)
      k.logits[i] = streams[i / k.vp].state[a.net.logits_at + i % k.vp];
  }
  __device__ void bring_embed() {
    embed = bring<W>(role.embed, a.net.embed, 0, a.net.vocab, a.net.tiers[0].wp);
  }
  __device__ void keep_logits() const {
    for (int i = static_cast<int>(threadIdx.x); i < NS * k.vp; i += kThreads)
      streams[i / k.vp].state[a.net.logits_at + i % k.vp] = k.logits[i];
  }
  // Shared copies of tiers [first, ...) back into the state.
  __device__ void keep_tiers(int first) const {
    for (int s = first; s < a.net.n_tiers; ++s) {
      const TierRun<W>& t = tiers[s];
      if (t.group != nullptr)
        copy16(streams[0].state + t.group_at, t.group, sizeof(float) * t.pool * t.wp);
      if (t.up != nullptr) copy16(streams[0].state + t.up_at, t.up, sizeof(float) * t.pool * t.wp);
    }
  }

  // ---- A step -----------------------------------------------------------------------------------
  __device__ float* group_of(const TierRun<W>& t, int s) const {
    return t.group != nullptr ? t.group : k.states[s] + t.group_at;
  }
  __device__ float* up_of(const TierRun<W>& t, int s) const {
    return t.up != nullptr ? t.up : k.states[s] + t.up_at;
  }

  // x joins the group and is joined by what the tier inside gave for it.
  __device__ void join(const TierRun<W>& t, std::uint32_t phase) {
    k.wait_x(t.wp);
    if (Comm::kShared) __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < NS * t.wp; i += kThreads) {
      const int s = i / t.wp;
      const int at_row = static_cast<int>(phase) * t.wp + i % t.wp;
      float& v = k.x[s * k.x_stride + i % t.wp];
      group_of(t, s)[at_row] = v;
      if constexpr (Comm::kTeam)
        k.store_x(t.wp, s, i % t.wp, v + up_of(t, s)[at_row]);
      else
        v += up_of(t, s)[at_row];
    }
    k.pending = Pending::barrier;
  }

  // Tier s has made the step that began at c. True: its group is full. Barriers follow before
  // anyone reads the cursor again.
  __device__ bool advance(int s, const Cursor& c, int pool) const {
    const bool full = pool > 0 && c.phase + 1 == static_cast<std::uint32_t>(pool);
    if (threadIdx.x == 0) {
      cursor[s].phase = pool == 0 || full ? 0 : c.phase + 1;
      cursor[s].slot = c.slot + 1 == static_cast<std::uint32_t>(k.K) ? 0 : c.slot + 1;
      cursor[s].row = c.row + 1;
    }
    return full;
  }

  __device__ float random_number(int stream, int step) const {
    return philox_uniform(streams[stream].rng_seed,
                          streams[stream].rng_index + static_cast<std::uint64_t>(step));
  }

  // The only tier steps.
  __device__ void flat_step(bool wants_logits) {
    const TierRun<W>& t = tiers[0];
    const Cursor c = cursor[0];
    const LayerRun<W>* layer = layers + t.down_begin;
    const LayerRun<W>* const first = layer;
    const LayerRun<W>* const end = layers + t.down_end;
#pragma unroll 1
    while (layer != end) {
      const LayerRun<W>* const next = layer + 1 != end ? layer + 1 : first;
      // A copy: what stands in shared memory is read anew behind every exchange (flat 256: 4 %).
      const LayerRun<W> l = *layer;
      k.block(l, c.slot, c.row, next);
      ++layer;
    }
    if (wants_logits)
      k.head_product(head, a.net.head_bias, t.inv_width, t.wp);
    else
      k.wait_x(t.wp);
    advance(0, c, 0);
  }

  // Tier `s` steps, and while groups are full, the tiers inside it. Tier 0 finds its x ready and
  // leaves logits; a tier inside takes x from the group around it and leaves `up` there. An inner
  // group beside a chain begins at tier 1, with the group that came into its inbox, and sends the
  // chain's `up` by to_up.
  template <class ToUp>
  __device__ void tiers_from(int s, const float* inbox, bool wants_logits, ToUp to_up) {
    if constexpr (Comm::kFlat) {
      flat_step(wants_logits);
      return;
    }
    const bool beside_chain = Comm::kShared && inbox != nullptr;
#pragma unroll 1
    for (;; ++s) {
      const TierRun<W>& t = tiers[s];
      const TierRun<W>& outer = tiers[s > 0 ? s - 1 : 0];
      const Cursor c = cursor[s];
      if (s > 0) {
        const float* group = beside_chain && s == 1 ? inbox : nullptr;
        k.product(
            outer.down_pool, outer.down_bias, t.wp / 16, outer.pool * outer.wp,
            [&](int stream) { return group != nullptr ? group : group_of(outer, stream); },
            [&](int tile, const float(&v)[4]) {
              k.template put_rows_of<kQ>(k.xq, k.x_stride, tile, v);
            });
        k.comm.wait(kQ, k.xq, static_cast<std::uint32_t>(t.wp) * 4U);
        if (Comm::kShared) __syncthreads();  // nobody of this CTA reads the old x any more
        for (int i = static_cast<int>(threadIdx.x); i < NS * t.wp; i += kThreads)
          k.store_x(t.wp, i / t.wp, i % t.wp, k.xq[i / t.wp * k.x_stride + i % t.wp]);
        k.pending = Pending::barrier;
      }

      const int down = t.down_end - t.down_begin;
      const int count = down + t.up_end - t.up_begin;
      if (down == 0 && t.pool > 0) join(t, c.phase);
#pragma unroll 1
      for (int i = 0; i < count; ++i) {
        const int which = i < down ? t.down_begin + i : t.up_begin + i - down;
        if constexpr (Comm::kTeam || NS > 1) {
          const LayerRun<W> l = layers[which];  // a copy, for teams and batches: see flat_step
          k.block(l, c.slot, c.row);
        } else {
          k.block(layers[which], c.slot, c.row);
        }
        if (i + 1 == down && t.pool > 0) join(t, c.phase);
      }

      if (s == 0) {
        if (wants_logits)
          k.head_product(head, a.net.head_bias, t.inv_width, t.wp);
        else
          k.wait_x(t.wp);
      } else {
        k.wait_x(t.wp);
        k.product(
            outer.up_pool, outer.up_bias, outer.pool * outer.wp / 16, t.wp,
            [&](int stream) { return static_cast<const float*>(k.x + stream * k.x_stride); },
            [&](int tile, const float(&v)[4]) {
              if (beside_chain && s == 1)
                to_up(tile, v);
              else
                put_up(outer, tile, v);
            });
        if (!(beside_chain && s == 1))
          k.comm.wait(kP, outer.up, static_cast<std::uint32_t>(outer.pool * outer.wp) * 4U);
      }
      if (!advance(s, c, t.pool)) return;
      // `up` went to the chain, and nobody here has waited for it: before the next product the
      // first warps must have read what others left for them (LayerStep::part).
      if (beside_chain && s == 1) __syncthreads();
    }
  }

  __device__ void put_up(const TierRun<W>& outer, int tile, const float (&v)[4]) const {
    if constexpr (NS == 1) {
      if (Comm::kShared)
        k.comm.put_rows(kP, outer.up, tile, v[0], v[2]);
      else
        AloneOf<Comm::kWarps>().put_rows(kP, up_of(outer, 0), tile, v[0], v[2]);
    } else {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (!k.holds(i)) continue;
        float* up = up_of(outer, k.stream(i)) + tile * 16 + (lane_id() >> 2);
        up[0] = v[i];
        up[8] = v[2 + i];
      }
    }
  }

  // Draws a code for each stream, or takes the next forced one; into `codes`, visible to all.
  __device__ void next_codes(int step) {
    if constexpr (Comm::kShared && Comm::kWarps == 8) {
      const StreamArgs& me = streams[0];
      if (a.drawing != 0 && k.vp == 32 * Comm::kWarps &&
          plain_draw(me.temperature, me.top_k, me.top_p, k.vocab)) {
        if (draw_by_all(k.logits, me.temperature, u_next,
                        reinterpret_cast<std::uint32_t*>(k.part))) {
          codes[0] = static_cast<int>(threadIdx.x);
          if (k.comm.me == 0) me.codes[step] = static_cast<std::uint8_t>(threadIdx.x);
        }
        __syncthreads();
        if (k.comm.me == 0 && warp_id() == 0) tell(me, k.logits, k.vocab, k.vp, step, codes[0]);
        return;
      }
    }
    const int s = warp_id();
    if (s < NS) {
      const StreamArgs& me = streams[s];
      int code;
      if (a.drawing != 0) {
        const float* l = k.logits + s * k.vp;
        code = draw_code(me, l, step);
      } else {
        code = me.forced[step];
      }
      if (lane_id() == 0) codes[s] = code;
    }
    __syncthreads();
  }

  // By one warp; writes what is asked for beside the code.
  __device__ int draw_code(const StreamArgs& me, const float* l, int step) {
    const int code = draw(l, k.vocab, k.vp, me.temperature, me.top_k, me.top_p, u_next);
    if (k.comm.me == 0) {
      if (lane_id() == 0) me.codes[step] = static_cast<std::uint8_t>(code);
      tell(me, l, k.vocab, k.vp, step, code);
    }
    return code;
  }
  __device__ void embed_halves(int wp) {
    const HalvesOfX to = k.normed_x(wp);
    for (int i = static_cast<int>(threadIdx.x); i < wp / 8; i += kThreads) {
      const uint4 halves = reinterpret_cast<const uint4*>(embed + codes[0] * wp)[i];
      float4 v[2];
      const auto* two = reinterpret_cast<const __half2*>(&halves);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float2 a = __half22float2(two[2 * j]);
        const float2 b = __half22float2(two[2 * j + 1]);
        v[j] = make_float4(a.x, a.y, b.x, b.y);
        reinterpret_cast<float4*>(k.x)[2 * i + j] = v[j];
      }
      reinterpret_cast<uint4*>(to.x)[i] = halves;
      to.squares[i] = squares8(v[0], v[1]);
    }
  }
  __device__ void embed_codes(int wp) {
    if constexpr (LayerStep<W, NS, Comm>::kHalves) {
      embed_halves(wp);
    } else {
      for (int i = static_cast<int>(threadIdx.x); i < NS * wp; i += kThreads) {
        const int s = i / wp;
        k.x[s * k.x_stride + i % wp] = static_cast<float>(embed[codes[s] * wp + i % wp]);
      }
    }
    k.pending = Pending::barrier;
  }

  // All tiers by this group, for the whole launch; or, beside a chain, the tiers inside.
  template <class Beside>
  __device__ void play(Beside& beside) {
    if constexpr (Comm::kTeam && Comm::kFlat) k.fetch_in_proj(layers[0], k.early.in_ahead);
    const bool inner = beside.inner();
    const int rounds = inner ? beside.rounds() : a.steps;
#pragma unroll 1
    for (int round = 0; round < rounds; ++round) {
      const float* inbox = nullptr;
      if (inner) {
        inbox = beside.wait_group(round);
      } else {
        next_codes(round);
        embed_codes(tiers[0].wp);
        u_next = random_number(warp_id() < NS ? warp_id() : 0, round + 1);  // ahead of its use
      }
      tiers_from(inner ? 1 : 0, inbox, a.drawing != 0 || round + 1 == a.steps,
                 [&](int tile, const float(&v)[4]) { beside.put_up(round, tile, v); });
      if (inner) __syncthreads();  // nobody is still reading the inbox or x
    }
  }

  __device__ void set_up() {
    bring_layers(0, a.net.n_layers);
    bring_tiers();
    bring_head();
    bring_embed();
    __syncthreads();
  }
  __device__ void keep() {
    __syncthreads();
    for (int i = 0; i < a.net.n_layers; ++i) state_of_layer<false>(layers[i]);
    if (k.comm.me != 0) return;
    keep_logits();
    if (Comm::kShared) keep_tiers(0);
  }
};

// All tiers, and nothing beside them.
template <class W, int NS, class Comm>
struct EverythingOf {
  StepLaunch<W, NS, Comm>& p;
  __device__ explicit EverythingOf(StepLaunch<W, NS, Comm>& player) : p(player) {}
  static __device__ constexpr bool inner() { return false; }
  __device__ int rounds() const { return 0; }
  __device__ const float* wait_group(int) const { return nullptr; }
  __device__ void put_up(int, int, const float (&)[4]) const {}
  __device__ void set_up() { p.set_up(); }
  __device__ void keep() { p.keep(); }
};
template <class W, class Comm>
using Everything = EverythingOf<W, 1, Comm>;

}  // namespace mambo::cuda
