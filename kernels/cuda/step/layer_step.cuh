// What one CTA does of a step: its share of a block, a product, the head; for NS streams side by
// side. The order of phases is that of docs/model.md; a phase ends where everyone's results are
// needed.
//
//   in_proj + conv + silu   warp = unit (8 channels)        puts u  (or four warps a unit)
//   x_proj                  warp = tile of 16 rows          dbc: delta, B, C
//   delta, scan, gate       warp = unit; 4 lanes a channel  puts y
//                           (a batch of the usual shape: two units, 2 lanes a channel)
//   out_proj + residual     warp = tile of 16 rows          puts x
//
// A time-invariant layer (Mixed) has no second phase, and its scan no delta, B and C.
//
// What a phase reads besides the vector it waits for (its weights) is asked for before the wait.
// A team shares x_proj and out_proj out by columns instead: worker_team.cuh.
#pragma once

#include "kernels/cuda/step/exchange.cuh"
#include "kernels/cuda/step/layer_parts.cuh"
#include "kernels/cuda/step/sampling.cuh"

namespace mambo::cuda {

template <class W, int NS, class Comm>
struct LayerStep {
  TeamAhead<W, Comm::kTeam, Comm::kFlat> early;
  static constexpr int kLaneStreams = NS == 1 ? 1 : 2;
  static constexpr int kWarps = Comm::kWarps;
  static constexpr bool kHalves = Comm::kFlat || Comm::kTeam;
  using Fetched = Ahead<W, Comm::kAhead>;
  using Here = AloneOf<kWarps>;

  Comm comm;
  const LayerRun<W>* layers;
  const TierRun<W>* tiers;
  float* const* states;
  float *x, *xq, *dbc, *dbc_next, *uf, *zf, *logits;
  W *u, *y;
  W* xh;                     // x as halves, then the sums of squares of each eight (normed_x)
  float *parts_d, *parts_x;  // a team's (TeamParts)
  int last_pairs = 0;        // of columns, of the out_proj that x waits for
  int x_stride, act_stride, dbc_stride, own_stride;
  int K, np, vocab, vp;
  float eps;
  float* tap;   // of the first stream
  float* part;  // [warps][kPart]: sums that warps share; scratch of a draw
  enum class Pending { nothing, barrier, x } pending = Pending::nothing;

  // The stream whose vector this lane feeds into products (a column of B).
  __device__ int column() const { return NS == 1 ? 0 : (lane_id() >> 2) & (NS - 1); }
  // The i-th stream whose results this lane holds, and whether it does.
  __device__ int stream(int i) const { return NS == 1 ? 0 : lane_id() % 4 * 2 + i; }
  __device__ bool holds(int i) const { return NS == 1 || stream(i) < NS; }

  // x as products with a norm read it. In a grid's flat model it travels in that form (put_x), and
  // `x` itself holds this CTA's own rows alone; a team makes it (add_up_x, store_x).
  __device__ auto normed_x(int wp) const {
    if constexpr (kHalves)
      return HalvesOfX{xh, reinterpret_cast<float*>(xh + wp)};
    else
      return FloatVector<true>{x + column() * x_stride};
  }

  // Until x of this CTA is what the last operation made it.
  __device__ void wait_x(int wp) {
    if (pending == Pending::x) {
      if constexpr (Comm::kTeam)
        add_up_x(wp);
      else if constexpr (kHalves)
        comm.wait(kX, xh, static_cast<std::uint32_t>(wp * 5 / 2));
      else
        comm.wait(kX, x, static_cast<std::uint32_t>(wp) * 4U);
    }
    if (pending == Pending::barrier) __syncthreads();
    pending = Pending::nothing;
  }

  // Whether a layer is time-invariant, and how many floats of h its channels have.
  __device__ static bool invariant(const LayerRun<W>& l) { return Comm::kMixed && l.xp == 0; }
  __device__ int h_floats(const LayerRun<W>& l) const { return Comm::kMixed ? l.hp : np; }
  __device__ float* h_of(const LayerRun<W>& l, int unit, int s) const {
    return l.h != nullptr ? l.h + (unit * NS + s) * 8 * h_floats(l)
                          : states[s] + l.h_at + unit * 8 * h_floats(l);
  }
  __device__ float* conv_of(const LayerRun<W>& l, int unit, int s, int& stride) const {
    stride = l.conv != nullptr ? 8 : l.dp;
    return l.conv != nullptr ? l.conv + (unit * NS + s) * 8 * K : states[s] + l.conv_at + unit * 8;
  }

  // 1 / rms of the streams whose results this lane holds, from each lane's part of the squares.
  __device__ void rms_factors(float squares, float inv_width, float (&f)[kLaneStreams]) const {
    const float mine = inverse_root(fmaf(quad_sum(squares), inv_width, eps));
    if constexpr (NS == 1) {
      f[0] = mine;
    } else {
#pragma unroll
      for (int i = 0; i < 2; ++i)
        f[i] = __shfl_sync(0xFFFFFFFFU, mine, ((lane_id() % 4 * 2 + i) & (NS - 1)) * 4);
    }
  }

  // One block, from x to x. slot: step % K of its tier; row: of the tap's buffer.
  // next: of a flat model, the layer that follows: its weights may be asked for early.
  __device__ void block(const LayerRun<W>& l, std::uint32_t slot, std::uint32_t row,
                        const LayerRun<W>* next = nullptr) {
    in_proj(l, slot);
    if constexpr (Comm::kMixed) {
      if (invariant(l)) {
        wait_u(l);
        scan_modes(l, row);
        if constexpr (Comm::kTeam)
          out_proj_team(l, next);
        else
          out_proj(l);
        return;
      }
    }
    if constexpr (Comm::kTeam)
      x_proj_team(l);
    else
      x_proj(l);
    scan(l, row);
    if constexpr (Comm::kTeam)
      out_proj_team(l, next);
    else
      out_proj(l);
    // The next block's delta, B and C go elsewhere: another CTA of the group may write them here
    // while this one's slower warps still read, and what tells it that they are done with this
    // place is then not y alone but also the barrier of the block between.
    if constexpr (NS == 1 && Comm::kShared) {
      float* const last = dbc;
      dbc = dbc_next;
      dbc_next = last;
    }
  }

  // What a lane needs for the convolution of its channel: it does not depend on x, and is asked for
  // before x is there. The window itself only for the usual K = 4.
  struct ConvAhead {
    float bias_u = 0, bias_z = 0, bias = 0;
    float w[4] = {};
    float past[kLaneStreams][3] = {};
  };

  // in_proj, convolution and silu (worker_in_proj.cuh).
  __device__ void in_proj(const LayerRun<W>& l, std::uint32_t slot);
  template <int kPairs>
  __device__ void in_proj_split(const LayerRun<W>& l, std::uint32_t slot);
  __device__ void convolve(const LayerRun<W>& l, int unit, std::uint32_t slot,
                           const ConvAhead& conv, float squares, const float (&c)[4]);
  __device__ const float* channel_record(const LayerRun<W>& l, int unit) const;
  __device__ void fetch_conv(const LayerRun<W>& l, int unit, std::uint32_t slot,
                             ConvAhead& conv) const;

  // How many warps share a tile: several where there are few tiles and long sums.
  __device__ static int split_of(int tiles, int pairs) {
    if (NS > 1 || !Comm::kShared || sizeof(W) != 2 || pairs < 8) return 1;
    return tiles * 4 <= kWarps ? 4 : (tiles * 2 <= kWarps ? 2 : 1);
  }

  // A tile of [begin, end) by each kSplit warps, all at once; `wait` stands between the weights and
  // the vector. True in the warp that has its tile's sum.
  template <int kSplit, bool kByPairs, class Vector, class Wait>
  __device__ bool split_product(const W* matrix, int begin, int end, int cols, Vector vector,
                                Wait wait, int& tile, float (&c)[4]) {
    const int sub = warp_id() % kSplit;
    tile = begin + warp_id() / kSplit;
    if constexpr (kByPairs && kSplit == 4 && Comm::kSplitsUnits) {
      if (cols == 32 * kSplit * Comm::kAhead) {  // flat 512's: nothing is asked that is not there
        Fetched whole;
        if (tile < end)
          whole.template fetch_all<kSplit, Comm::kAhead>(
              matrix + static_cast<std::ptrdiff_t>(tile) * cols * 16, sub);
        else
          whole.clear();
        wait(tile);
        if (tile >= end) return false;
        tile_partial_of<kSplit, kByPairs, Comm::kAhead>(whole, vector, sub, c);
        return add_parts<kSplit>(c);
      }
    }
    const W* w = tile < end ? matrix + static_cast<std::ptrdiff_t>(tile) * cols * 16 : nullptr;
    Fetched ahead;
    ahead.template fetch<kSplit>(w, cols / 32, sub);
    wait(tile);
    if (tile >= end) return false;
    tile_partial<kSplit, kByPairs>(w, ahead, vector, cols / 32, sub, c);
    return add_parts<kSplit>(c);
  }

  // The parts of kSplit neighbouring warps; what else they have put into `part` is there, too. True
  // in the warp that has the sum. What is in `part` stays until the exchange or barrier that
  // follows: nobody goes on before this warp has put what it makes of the sum.
  template <int kSplit>
  __device__ bool add_parts(float (&c)[4]) {
    const int sub = warp_id() % kSplit;
    float* mine = part + warp_id() * kPart + (lane_id() >> 2);
    if (sub != 0 && lane_id() % 4 == 0) {
      mine[0] = c[0];
      mine[8] = c[2];
    }
    asm volatile("bar.sync %0, %1;" ::"r"(1 + warp_id() / kSplit), "n"(32 * kSplit) : "memory");
    if (sub != 0) return false;
    if constexpr (kSplit == 2) {
      c[0] += mine[kPart];
      c[2] += mine[kPart + 8];
    } else {
      c[0] = (c[0] + mine[kPart]) + (mine[2 * kPart] + mine[3 * kPart]);
      c[2] = (c[2] + mine[kPart + 8]) + (mine[2 * kPart + 8] + mine[3 * kPart + 8]);
    }
    return true;
  }

  __device__ void x_proj(const LayerRun<W>& l) {
    if constexpr (NS == 1 && Comm::kShared && sizeof(W) == 2) {
      const int ways = split_of(l.dbc_end - l.dbc_begin, l.dp / 32);
      if (ways > 1) {
        const auto wait = [&](int) {
          comm.wait(kU, u, static_cast<std::uint32_t>(l.dp * sizeof(W)));
        };
        const bool split = l.dbc_end - l.dbc_begin != l.xp / 16;
        int tile;
        float c[4];
        const bool done =
            ways == 4 ? split_product<4, true>(l.x_proj, l.dbc_begin, l.dbc_end, l.dp,
                                               typename ActVector<W>::type{u}, wait, tile, c)
                      : split_product<2, true>(l.x_proj, l.dbc_begin, l.dbc_end, l.dp,
                                               typename ActVector<W>::type{u}, wait, tile, c);
        if (done && split) put_rows_of<kD>(dbc, dbc_stride, tile, c);
        if (done && !split) put_rows_of<kKinds>(dbc, dbc_stride, tile, c);
        finish_dbc(l, split);
        return;
      }
    }
    const int pairs = l.dp / 32;
    const int size = l.dp * 16;
    int tile = l.dbc_begin + warp_id();
    Fetched ahead;
    ahead.fetch(tile < l.dbc_end ? l.x_proj + static_cast<std::ptrdiff_t>(tile) * size : nullptr,
                pairs);
    comm.wait(kU, u, static_cast<std::uint32_t>(l.dp * sizeof(W)));
    const bool split = l.dbc_end - l.dbc_begin != l.xp / 16;
#pragma unroll 1
    for (; tile < l.dbc_end; tile += kWarps) {
      float c[4];
      tile_product<true>(l.x_proj + static_cast<std::ptrdiff_t>(tile) * size, ahead,
                         typename ActVector<W>::type{u + column() * act_stride}, pairs, c);
      if (tile + kWarps < l.dbc_end)
        ahead.fetch(l.x_proj + static_cast<std::ptrdiff_t>(tile + kWarps) * size, pairs);
      if (split)
        put_rows_of<kD>(dbc, dbc_stride, tile, c);
      else
        put_rows_of<kKinds>(dbc, dbc_stride, tile, c);
    }
    finish_dbc(l, split);
  }
  __device__ void finish_dbc(const LayerRun<W>& l, bool split) {
    if (split) comm.wait(kD, dbc, static_cast<std::uint32_t>(l.xp) * 4U);
    if constexpr (NS == 1 || !Comm::kUsual) fetch_scan(l, l.unit_begin + warp_id());
    __syncthreads();
  }

  // Rows of a tile to everyone (kind) or, with kKinds, to this CTA alone.
  template <Kind kKind>
  __device__ void put_rows_of(float* to, int stride, int tile, const float (&c)[4]) {
    if constexpr (NS == 1) {
      if constexpr (kKind == kKinds)
        Here().put_rows(kKind, to, tile, c[0], c[2]);
      else
        comm.put_rows(kKind, to, tile, c[0], c[2]);
    } else {
      const int row = tile * 16 + (lane_id() >> 2);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (!holds(i)) continue;
        to[stream(i) * stride + row] = c[i];
        to[stream(i) * stride + row + 8] = c[2 + i];
      }
    }
  }

  // What a lane needs of its channel and its first states; asked for before delta, B and C are
  // there. Of a time-invariant layer A is decay, dt_w gain and dt_bias delta.
  struct ScanAhead {
    float4 A, dt_w, h;
    float dt_bias = 0, D = 0;
  } ahead_of_scan;
  __device__ void fetch_scan(const LayerRun<W>& l, int unit) {
    if (unit >= l.unit_end) return;
    const int r = lane_id() >> 2;
    const int hp = h_floats(l);
    const float* p = l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats;
    const float* tail = p + 8 * hp + 8 * l.r4 + 16 + 8 * K + r;  // conv bias, dt bias, D
    ahead_of_scan.A = *reinterpret_cast<const float4*>(p + r * hp + lane_id() % 4 * 4);
    const float* dt_w = p + 8 * hp + r * l.r4;
    if (invariant(l)) dt_w += lane_id() % 4 * 4;
    ahead_of_scan.dt_w = *reinterpret_cast<const float4*>(dt_w);
    ahead_of_scan.h = *reinterpret_cast<const float4*>(h_at(l, unit, 0));
    ahead_of_scan.dt_bias = tail[8];
    ahead_of_scan.D = tail[16];
  }
  // This lane's first states of a stream.
  __device__ float* h_at(const LayerRun<W>& l, int unit, int s) const {
    return h_of(l, unit, s) + (lane_id() >> 2) * h_floats(l) + lane_id() % 4 * 4;
  }

  __device__ static void update(float4& v, const float4& a, const float4& b, const float4& c,
                                float delta, float du, float& sum) {
    v.x = fmaf(exp2_fast(delta * a.x), v.x, du * b.x);
    v.y = fmaf(exp2_fast(delta * a.y), v.y, du * b.y);
    v.z = fmaf(exp2_fast(delta * a.z), v.z, du * b.z);
    v.w = fmaf(exp2_fast(delta * a.w), v.w, du * b.w);
    sum = fmaf(c.w, v.w, fmaf(c.z, v.z, fmaf(c.y, v.y, fmaf(c.x, v.x, sum))));
  }

  // A time-invariant layer's (worker_modes.cuh).
  __device__ void wait_u(const LayerRun<W>& l);
  __device__ void scan_modes(const LayerRun<W>& l, std::uint32_t row);
  template <bool kInShared>
  __device__ void scan_modes_streams(const LayerRun<W>& l);

  // A team's (worker_team.cuh).
  template <int kMost>
  __device__ void fetch_parts(const W* matrix, int tile_size, int tiles, uint4 (&a)[2 * kMost]);
  template <Kind kKind, int kMost, int kRows>
  __device__ void put_parts(const LayerRun<W>& l, const W* matrix, int tile_size, int tiles,
                            uint4 (&a)[2 * kMost], const W* vector, float* to);
  __device__ void fetch_in_proj(const LayerRun<W>& l, Ahead<W, 8>& ahead);
  __device__ const Ahead<W, 8>& in_ahead_or(const Ahead<W, 8>& here) const {
    if constexpr (Comm::kFlat)
      return early.in_ahead;
    else
      return here;
  }
  __device__ void fetch_out_proj(const LayerRun<W>& l);
  __device__ void in_proj_team(const LayerRun<W>& l, std::uint32_t slot);
  __device__ void x_proj_team(const LayerRun<W>& l);
  __device__ void out_proj_team(const LayerRun<W>& l, const LayerRun<W>* next);
  __device__ void add_up_x(int wp);
  // By all lanes of a warp, for rows that stand one behind the other.
  __device__ void store_x(int wp, int s, int row, float v);

  // Several streams side by side, of the usual shape (worker_streams.cuh).
  __device__ void in_proj_streams(const LayerRun<W>& l, std::uint32_t slot);
  template <bool kInShared>
  __device__ void scan_streams(const LayerRun<W>& l);

  __device__ void scan(const LayerRun<W>& l, std::uint32_t row) {
    if constexpr (NS > 1 && Comm::kUsual) {
      if (l.h != nullptr)
        scan_streams<true>(l);
      else
        scan_streams<false>(l);
      return;
    }
    const int r = lane_id() >> 2;
    const int q = lane_id() & 3;
#pragma unroll 1
    for (int unit = l.unit_begin + warp_id(); unit < l.unit_end; unit += kWarps) {
      const ScanAhead now = ahead_of_scan;
      const float* p = l.unit + static_cast<std::ptrdiff_t>(unit) * l.unit_floats;
      float4 next_h = now.h;
#pragma unroll 1
      for (int s = 0; s < NS; ++s) {
        float4 v = next_h;
        if (NS > 1 && s + 1 < NS) next_h = *reinterpret_cast<const float4*>(h_at(l, unit, s + 1));
        const float* low = dbc + s * dbc_stride;
        float dt = now.dt_bias;
        dt += dot4(now.dt_w, *reinterpret_cast<const float4*>(low));
        for (int j = 4; j < l.r4; j += 4)
          dt += dot4(*reinterpret_cast<const float4*>(p + 8 * np + r * l.r4 + j),
                     *reinterpret_cast<const float4*>(low + j));
        const float delta = softplus(dt);
        const int own = s * own_stride + (unit - l.unit_begin) * 8 + r;
        const float uc = uf[own];
        const float du = delta * uc;
        const float* B = low + l.rp + q * 4;
        const float* C = B + np;
        float* h = h_at(l, unit, s);
        float sum = 0.0F;
        update(v, now.A, *reinterpret_cast<const float4*>(B), *reinterpret_cast<const float4*>(C),
               delta, du, sum);
        *reinterpret_cast<float4*>(h) = v;
#pragma unroll 1
        for (int n = 16; !Comm::kUsual && n < np; n += 16) {
          v = *reinterpret_cast<const float4*>(h + n);
          update(v, *reinterpret_cast<const float4*>(p + r * np + q * 4 + n),
                 *reinterpret_cast<const float4*>(B + n), *reinterpret_cast<const float4*>(C + n),
                 delta, du, sum);
          *reinterpret_cast<float4*>(h + n) = v;
        }
        const float value = fmaf(now.D, uc, quad_sum(sum)) * zf[own];
        if constexpr (NS == 1) {
          if (tap != nullptr && q == 0)
            tap[l.tap_at + row * static_cast<std::uint32_t>(l.dp) + unit * 8 + r] = delta;
          // What tells others that y is there tells them also that this warp's lanes have read dbc,
          // uf and zf, which they may write anew.
          if constexpr (Comm::kTeam) {
            Here().put_unit(kY, y, unit, value);
          } else {
            if constexpr (Comm::kShared) __syncwarp();
            comm.put_unit(kY, y, unit, value);
          }
        } else if (q == 0) {
          store_act(y + s * act_stride + unit * 8 + r, value);
        }
      }
      fetch_scan(l, unit + kWarps);
    }
  }

  __device__ void out_proj(const LayerRun<W>& l) {
    if constexpr (NS == 1 && Comm::kShared && sizeof(W) == 2) {
      const int ways = split_of(l.row_end - l.row_begin, l.dp / 32);
      if (ways > 1) {
        Addends addends;
        const auto wait = [&](int tile) {
          fetch_addends(l, tile, addends);
          comm.wait(kY, y, static_cast<std::uint32_t>(l.dp * sizeof(W)));
        };
        int tile;
        float c[4];
        const bool done =
            ways == 4 ? split_product<4, true>(l.out_proj, l.row_begin, l.row_end, l.dp,
                                               typename ActVector<W>::type{y}, wait, tile, c)
                      : split_product<2, true>(l.out_proj, l.row_begin, l.row_end, l.dp,
                                               typename ActVector<W>::type{y}, wait, tile, c);
        if (done) {
          add_up(addends, c);
          put_x(l.wp, tile, c);
        }
        pending = Pending::x;
        return;
      }
    }
    const int pairs = l.dp / 32;
    const int size = l.dp * 16;
    int tile = l.row_begin + warp_id();
    Fetched ahead;
    ahead.fetch(tile < l.row_end ? l.out_proj + static_cast<std::ptrdiff_t>(tile) * size : nullptr,
                pairs);
    Addends addends;
    fetch_addends(l, tile, addends);
    comm.wait(kY, y, static_cast<std::uint32_t>(l.dp * sizeof(W)));
#pragma unroll 1
    for (; tile < l.row_end; tile += kWarps) {
      float c[4];
      tile_product<true>(l.out_proj + static_cast<std::ptrdiff_t>(tile) * size, ahead,
                         typename ActVector<W>::type{y + column() * act_stride}, pairs, c);
      if (tile + kWarps < l.row_end)
        ahead.fetch(l.out_proj + static_cast<std::ptrdiff_t>(tile + kWarps) * size, pairs);
      add_up(addends, c);
      put_x(l.wp, tile, c);
      if (tile + kWarps < l.row_end) fetch_addends(l, tile + kWarps, addends);
    }
    pending = Pending::x;
  }
  // Rows of a tile of x to everyone.
  __device__ void put_x(int wp, int tile, const float (&c)[4]) {
    if constexpr (kHalves) {
      Here().put_rows(kX, x, tile, c[0], c[2]);
      comm.put_halves(kX, normed_x(wp), tile, c[0], c[2]);
    } else {
      put_rows_of<kX>(x, x_stride, tile, c);
    }
  }
  // Bias and residual of a tile's rows: asked for before the wait, too, but not added to each other
  // before it: nobody should stand there until the bias has come.
  struct Addends {
    float bias[2];
    float lo[kLaneStreams], hi[kLaneStreams];
  };
  __device__ void fetch_addends(const LayerRun<W>& l, int tile, Addends& a) const {
    const int row = min(tile * 16 + (lane_id() >> 2), l.wp - 9);
    a.bias[0] = l.out_bias[row];
    a.bias[1] = l.out_bias[row + 8];
#pragma unroll
    for (int i = 0; i < kLaneStreams; ++i) {
      const float* from = x + (holds(i) ? stream(i) : 0) * x_stride + row;
      a.lo[i] = from[0];
      a.hi[i] = from[8];
    }
  }
  __device__ static void add_up(const Addends& a, float (&c)[4]) {
#pragma unroll
    for (int i = 0; i < kLaneStreams; ++i) {
      c[i] += a.bias[0] + a.lo[i];
      c[2 + i] += a.bias[1] + a.hi[i];
    }
  }

  // rows [begin, end) of 16 of: matrix x vectors (+ bias), put as `kind`; the vectors are each
  // stream's own, at from(s).
  template <class From, class Put>
  __device__ void product(const W* matrix, const float* bias, int tiles, int cols, From from,
                          Put put) {
    int begin, end;
    share(tiles, comm.members, comm.me, begin, end);
    if constexpr (NS == 1 && Comm::kShared && sizeof(W) == 2) {
      if (split_of(end - begin, cols / 32) == 4) {
        float lo = 0.0F;
        float hi = 0.0F;
        const auto wait = [&](int tile) {
          if (tile >= end) return;
          lo = bias[tile * 16 + (lane_id() >> 2)];
          hi = bias[tile * 16 + 8 + (lane_id() >> 2)];
        };
        int tile;
        float c[4];
        if (split_product<4, false>(matrix, begin, end, cols, FloatVector<false>{from(0)}, wait,
                                    tile, c)) {
          c[0] += lo;
          c[2] += hi;
          put(tile, c);
        }
        return;
      }
    }
    const int size = cols * 16;
#pragma unroll 1
    for (int tile = begin + warp_id(); tile < end; tile += kWarps) {
      Fetched ahead;
      const W* w = matrix + static_cast<std::ptrdiff_t>(tile) * size;
      ahead.fetch(w, cols / 32);
      const int row = tile * 16 + (lane_id() >> 2);
      const float lo = bias[row];
      const float hi = bias[row + 8];
      float c[4];
      tile_product(w, ahead, FloatVector<false>{from(column())}, cols / 32, c);
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        c[i] += lo;
        c[2 + i] += hi;
      }
      put(tile, c);
    }
  }

  // logits = head x; complete for all when it returns (with a barrier).
  __device__ void head_product(const W* head, const float* bias, float inv_width, int wp) {
    int begin, end;
    share(vp / 16, comm.members, comm.me, begin, end);
    const int size = wp * 16;
    int tile = begin + warp_id();
    Fetched ahead;
    ahead.fetch(tile < end ? head + static_cast<std::ptrdiff_t>(tile) * size : nullptr, wp / 32);
    float lo = tile < end ? bias[tile * 16 + (lane_id() >> 2)] : 0.0F;
    float hi = tile < end ? bias[tile * 16 + 8 + (lane_id() >> 2)] : 0.0F;
    wait_x(wp);
#pragma unroll 1
    for (; tile < end; tile += kWarps) {
      float c[4];
      const float squares = tile_product(head + static_cast<std::ptrdiff_t>(tile) * size, ahead,
                                         normed_x(wp), wp / 32, c);
      if (tile + kWarps < end)
        ahead.fetch(head + static_cast<std::ptrdiff_t>(tile + kWarps) * size, wp / 32);
      float factor[kLaneStreams];
      rms_factors(squares, inv_width, factor);
#pragma unroll
      for (int i = 0; i < kLaneStreams; ++i) {
        c[i] = fmaf(c[i], factor[i], lo);
        c[2 + i] = fmaf(c[2 + i], factor[i], hi);
      }
      put_rows_of<kL>(logits, vp, tile, c);
      if (tile + kWarps >= end) break;
      lo = bias[(tile + kWarps) * 16 + (lane_id() >> 2)];
      hi = bias[(tile + kWarps) * 16 + 8 + (lane_id() >> 2)];
    }
    comm.wait(kL, logits, static_cast<std::uint32_t>(vp) * 4U);
  }
};

}  // namespace mambo::cuda
