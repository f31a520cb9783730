// The whole of a launch: a CTA sets up, advances its streams `steps` samples, and writes everything
// back (launch_setup.cuh). Two ways to split a model:
//
//   one group   all CTAs share every product of every tier (one CTA alone, a cluster, a grid);
//   a pipeline  stages of one CTA each (stage_resident.cuh) run a few layers of tier 0 and hand x
//               on, and the last draws; the rest of the cluster, the inner group (inner_group.cuh),
//               shares the tiers inside. A tier inside steps while the outer one goes on: its
//               result is needed only after the next sample's down layers.
#pragma once

#include "kernels/cuda/step/layer_scan.cuh"
#include "kernels/cuda/step/sampling.cuh"

namespace mambo::cuda {

// From global into shared memory by all threads of a CTA, with many loads in flight. Whole 16
// bytes; ends without a barrier.
__device__ inline void copy_far(void* to, const void* from, std::size_t bytes) {
  const auto n = static_cast<int>(bytes / 16);
  int i = static_cast<int>(threadIdx.x);
  for (; i + 7 * kThreads < n; i += 8 * kThreads) {
    uint4 v[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) v[j] = static_cast<const uint4*>(from)[i + j * kThreads];
#pragma unroll
    for (int j = 0; j < 8; ++j) static_cast<uint4*>(to)[i + j * kThreads] = v[j];
  }
  for (; i < n; i += kThreads) static_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
}

__device__ inline Truncation truncation(const StreamArgs& stream) {
  return {stream.top_k, stream.top_p, stream.min_p, stream.floor, stream.gate};
}

// Optional outputs of a draw: log-probability, entropy, logits. One warp.
__device__ inline void write_likelihoods(const StreamArgs& stream, const float* logits, int vocab,
                                         int vp, int step, int code) {
  if (stream.log_prob != nullptr || stream.entropy != nullptr) {
    likelihood(logits, vp, code, stream.log_prob == nullptr ? nullptr : stream.log_prob + step,
               stream.entropy == nullptr ? nullptr : stream.entropy + step);
  }
  if (stream.logits != nullptr) {
    for (int i = lane_id(); i < vocab; i += 32)
      stream.logits[static_cast<std::size_t>(step) * vocab + i] = logits[i];
  }
}

template <class T>
struct StepLaunch {
  using W = typename T::Weight;
  using Exchange = typename T::Exchange;
  using Layer = LayerRun<W>;
  using Tier = TierRun;
  using Pending = typename LayerStep<T>::Pending;
  static constexpr int NS = T::kStreams;

  LayerStep<T> k;
  const Launch& a;
  const Role& role;
  unsigned char* smem;
  const StreamArgs* streams;  // of this CTA
  Layer* layers;
  Tier* tiers;
  int* codes;  // [NS]
  const W* embed;
  const W* head;
  Cursor* cursor;       // [tiers]
  float u_next = 0.0F;  // the next random number of the stream that this warp draws for

  // ---- launch_setup.cuh
  template <class V>
  __device__ V* at(std::uint32_t offset) const {
    return offset == kNowhere ? nullptr : reinterpret_cast<V*>(smem + offset);
  }
  __device__ StepLaunch(const Launch& launch, const Role& r, unsigned char* shared,
                        const Exchange& exchange, const StreamArgs* of_cta);
  template <class V>
  __device__ const V* bring(std::uint32_t place, const void* from, int begin, int end,
                            std::size_t size) const;
  __device__ const W* bring_columns(std::uint32_t place, const void* from, int tiles, int pairs,
                                    int first, int own, int& tile_size) const;
  __device__ void bring_layer(int i);
  __device__ void bring_layers(int begin, int end);
  __device__ void bring_tiers();
  __device__ void set_up();
  template <bool kIn>
  __device__ void state_of_layer(const Layer& l) const;
  __device__ void keep_tiers(int first) const;
  __device__ void keep();

  // ---- A step
  __device__ float* pool_buffer_of(const Tier& t, int s) const {
    return t.pool_buffer != nullptr ? t.pool_buffer : k.states[s] + t.pool_buffer_at;
  }
  __device__ float* skip_of(const Tier& t, int s) const {
    return t.skip != nullptr ? t.skip : k.states[s] + t.skip_at;
  }

  // U-Net skip: append x to the pooling buffer, then add the inner tier's upsampled output of the
  // previous group.
  __device__ void join(const Tier& t, std::uint32_t phase) {
    k.wait_x(t.wp);
    if (T::kShared) __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < NS * t.wp; i += kThreads) {
      const int s = i / t.wp;
      const int at_row = static_cast<int>(phase) * t.wp + i % t.wp;
      const float v = k.x[s * k.x_stride + i % t.wp];
      pool_buffer_of(t, s)[at_row] = v;
      k.store_x(t.wp, s, i % t.wp, v + skip_of(t, s)[at_row]);
    }
    k.pending = Pending::barrier;
  }

  // Tier s has made the step that began at c. True: its group is full. Barriers follow before any
  // thread reads the cursor again.
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
    const Tier& t = tiers[0];
    const Cursor c = cursor[0];
    const Layer* layer = layers + t.down_begin;
    const Layer* const first = layer;
    const Layer* const end = layers + t.down_end;
#pragma unroll 1
    while (layer != end) {
      const Layer* const next = layer + 1 != end ? layer + 1 : first;
      // A copy in registers: shared memory is read again behind every exchange (flat 256: 4 %).
      const Layer l = *layer;
      k.layer(l, c.slot, c.row, next);
      ++layer;
    }
    if (wants_logits)
      k.head_product(head, a.net.head_bias, t.inv_width, t.wp);
    else
      k.wait_x(t.wp);
    advance(0, c, 0);
  }

  // Tier `s` steps, and while groups are full, the tiers inside it. Tier 0 finds its x ready and
  // leaves logits; a tier inside takes x from the group around it and leaves the skip there. An
  // inner group beside a pipeline begins at tier 1, with the group that came into its inbox, and
  // sends the pipeline's skip by to_skip.
  template <class ToSkip>
  __device__ void tiers_from(int s, const float* inbox, bool wants_logits, ToSkip to_skip) {
    if constexpr (T::kFlat) {
      flat_step(wants_logits);
      return;
    }
    const bool beside_pipeline = T::kShared && inbox != nullptr;
#pragma unroll 1
    for (;; ++s) {
      const Tier& t = tiers[s];
      const Tier& outer = tiers[s > 0 ? s - 1 : 0];
      const Cursor c = cursor[s];
      if (s > 0) {
        const float* group = beside_pipeline && s == 1 ? inbox : nullptr;
        k.pool_product(
            static_cast<const W*>(outer.down_pool), outer.down_bias, t.wp / 16,
            outer.pool * outer.wp,
            [&](int stream) { return group != nullptr ? group : pool_buffer_of(outer, stream); },
            [&](int tile, const float(&v)[4]) {
              k.put_rows(k.exchange, kPooled, k.pooled, k.x_stride, tile, v);
            });
        k.exchange.wait(kPooled, k.pooled, static_cast<std::uint32_t>(t.wp) * 4U);
        if (T::kShared) __syncthreads();  // WAR: every thread has read the old x
        for (int i = static_cast<int>(threadIdx.x); i < NS * t.wp; i += kThreads)
          k.store_x(t.wp, i / t.wp, i % t.wp, k.pooled[i / t.wp * k.x_stride + i % t.wp]);
        k.pending = Pending::barrier;
      }

      const int down = t.down_end - t.down_begin;
      const int count = down + t.up_end - t.up_begin;
      if (down == 0 && t.pool > 0) join(t, c.phase);
#pragma unroll 1
      for (int i = 0; i < count; ++i) {
        const int which = i < down ? t.down_begin + i : t.up_begin + i - down;
        if constexpr (T::kColumns || NS > 1) {
          const Layer l = layers[which];  // a copy in registers: see flat_step
          k.layer(l, c.slot, c.row);
        } else {
          k.layer(layers[which], c.slot, c.row);
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
        k.pool_product(
            static_cast<const W*>(outer.up_pool), outer.up_bias, outer.pool * outer.wp / 16, t.wp,
            [&](int stream) { return static_cast<const float*>(k.x + stream * k.x_stride); },
            [&](int tile, const float(&v)[4]) {
              if (beside_pipeline && s == 1)
                to_skip(tile, v);
              else
                put_skip(outer, tile, v);
            });
        if (!(beside_pipeline && s == 1))
          k.exchange.wait(kSkip, outer.skip,
                          static_cast<std::uint32_t>(outer.pool * outer.wp) * 4U);
      }
      if (!advance(s, c, t.pool)) return;
      // WAR: the skip went to the pipeline, and no thread here has waited for it; before the next
      // product the first warps must have read warp_sums.
      if (beside_pipeline && s == 1) __syncthreads();
    }
  }

  __device__ void put_skip(const Tier& outer, int tile, const float (&v)[4]) const {
    if constexpr (NS == 1) {
      if (T::kShared)
        k.exchange.put_rows(kSkip, outer.skip, tile, v[0], v[2]);
      else
        CtaExchange().put_rows(kSkip, skip_of(outer, 0), tile, v[0], v[2]);
    } else {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (!k.holds(i)) continue;
        float* skip = skip_of(outer, k.stream(i)) + tile * 16 + (lane_id() >> 2);
        skip[0] = v[i];
        skip[8] = v[2 + i];
      }
    }
  }

  // Draws a code for each stream, or takes the next forced one; into `codes`, visible to all.
  __device__ void next_codes(int step) {
    if constexpr (T::kShared) {
      const StreamArgs& stream = streams[0];
      if (a.drawing != 0 && k.vp == kThreads &&
          plain_draw(stream.temperature, truncation(stream), k.vocab)) {
        if (draw_by_all(k.logits, stream.temperature, u_next,
                        reinterpret_cast<std::uint32_t*>(k.warp_sums))) {
          codes[0] = static_cast<int>(threadIdx.x);
          if (k.exchange.me == 0) stream.codes[step] = static_cast<std::uint8_t>(threadIdx.x);
        }
        __syncthreads();
        if (k.exchange.me == 0 && warp_id() == 0)
          write_likelihoods(stream, k.logits, k.vocab, k.vp, step, codes[0]);
        return;
      }
    }
    const int s = warp_id();
    if (s < NS) {
      const StreamArgs& stream = streams[s];
      const int code = a.drawing != 0 ? draw_code(stream, k.logits + s * k.vp, step)
                                      : static_cast<int>(stream.forced[step]);
      if (lane_id() == 0) codes[s] = code;
    }
    __syncthreads();
  }

  // By one warp; with the optional outputs.
  __device__ int draw_code(const StreamArgs& stream, const float* logits, int step) {
    const int code = draw(logits, k.vocab, k.vp, stream.temperature, truncation(stream), u_next);
    if (k.exchange.me == 0) {
      if (lane_id() == 0) stream.codes[step] = static_cast<std::uint8_t>(code);
      write_likelihoods(stream, logits, k.vocab, k.vp, step, code);
    }
    return code;
  }

  __device__ void embed_codes(int wp) {
    if constexpr (T::kHalves) {
      const HalvesOfX to = k.normed_x(wp);
      for (int i = static_cast<int>(threadIdx.x); i < wp / 8; i += kThreads) {
        const uint4 halves = reinterpret_cast<const uint4*>(embed + codes[0] * wp)[i];
        float4 v[2];
        const auto* two = reinterpret_cast<const __half2*>(&halves);
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          const float2 lo = __half22float2(two[2 * j]);
          const float2 hi = __half22float2(two[2 * j + 1]);
          v[j] = make_float4(lo.x, lo.y, hi.x, hi.y);
          reinterpret_cast<float4*>(k.x)[2 * i + j] = v[j];
        }
        reinterpret_cast<uint4*>(to.x)[i] = halves;
        to.squares[i] = squares8(v[0], v[1]);
      }
    } else {
      for (int i = static_cast<int>(threadIdx.x); i < NS * wp; i += kThreads) {
        const int s = i / wp;
        k.x[s * k.x_stride + i % wp] = static_cast<float>(embed[codes[s] * wp + i % wp]);
      }
    }
    k.pending = Pending::barrier;
  }

  // All tiers by this group, for the whole launch; or, beside a pipeline, the tiers inside.
  template <class Beside>
  __device__ void play(Beside& beside) {
    if constexpr (T::kColumns && T::kFlat) k.fetch_in_proj(layers[0], k.ahead_of_columns.in_proj);
    constexpr bool kInner = Beside::kInner;
    const int rounds = kInner ? beside.rounds() : a.steps;
#pragma unroll 1
    for (int round = 0; round < rounds; ++round) {
      const float* inbox = nullptr;
      if (kInner) {
        inbox = beside.wait_group(round);
      } else {
        next_codes(round);
        embed_codes(tiers[0].wp);
        u_next = random_number(warp_id() < NS ? warp_id() : 0, round + 1);  // ahead of its use
      }
      tiers_from(kInner ? 1 : 0, inbox, a.drawing != 0 || round + 1 == a.steps,
                 [&](int tile, const float(&v)[4]) { beside.put_skip(round, tile, v); });
      if (kInner) __syncthreads();  // WAR: every thread has read the inbox and x
    }
  }
};

// All tiers, and no pipeline beside them: what StepLaunch::play asks of an InnerGroup.
template <class T>
struct Everything {
  StepLaunch<T>& p;
  __device__ explicit Everything(StepLaunch<T>& launch) : p(launch) {}
  static constexpr bool kInner = false;
  __device__ int rounds() const { return 0; }
  __device__ const float* wait_group(int) const { return nullptr; }
  __device__ void put_skip(int, int, const float (&)[4]) const {}
  __device__ void set_up() { p.set_up(); }
  __device__ void keep() { p.keep(); }
};

}  // namespace mambo::cuda
