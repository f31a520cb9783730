// What one CTA does of a layer's step: its share of every product and of the scan; for one stream,
// or NS of them side by side. The phases are those of docs/model.md; each ends where all CTAs need
// all results.
//
//   in_proj, convolution, silu  a warp (or four) per channel tile of 8 channels  puts u
//   x_proj (S6 only)            a warp per tile of 16 rows                       puts dbc
//   delta, scan, gate           a warp per channel tile, 4 lanes per channel     puts y
//   out_proj, residual          a warp per tile of 16 rows                       puts x
//
// dbc: the low-rank input of delta, then B and C.
//
// Weights that a phase needs are prefetched before the wait for its vector.
//
//   layer_products.cuh   products of tiles: x_proj, out_proj, pools, head
//   layer_in_proj.cuh    in_proj, convolution
//   layer_scan.cuh       the mixers
//   layer_columns.cuh    x_proj and out_proj split by columns (all-reduce)
//   layer_batch.cuh      several streams per CTA
#pragma once

#include "kernels/cuda/step/layer_run.cuh"
#include "kernels/cuda/step/step_traits.cuh"

namespace mambo::cuda {

// What a split by columns prefetches a phase or two ahead, most of it from the L2; of one tier
// alone also the next layer's in_proj.
template <class W, bool kColumns, bool kFlat>
struct ColumnsAhead {};
template <class W>
struct ColumnsAhead<W, true, false> {
  uint4 x_proj[2], out_proj[4];
  float bias = 0.0F;
};
template <class W>
struct ColumnsAhead<W, true, true> : ColumnsAhead<W, true, false> {
  Ahead<W, 8> in_proj;
};

// What a lane needs of its channel in the scan, and its first states: prefetched before delta, B
// and C are there.
template <StepMixer M>
struct ScanAhead {
  typename M::Channel channel;
  float4 h;
  float D = 0;
  ByHand hand;
};

template <class T>
struct LayerStep {
  using W = typename T::Weight;
  using Exchange = typename T::Exchange;
  using Activation = std::conditional_t<std::is_same_v<W, __half>, HalfVector, FloatVector<false>>;
  using Layer = LayerRun<W>;
  static constexpr int NS = T::kStreams;
  static constexpr int kLaneStreams = NS == 1 ? 1 : 2;
  using Fetched = Ahead<W, Exchange::kAhead>;

  ColumnsAhead<W, T::kColumns, T::kFlat> ahead_of_columns;
  Exchange exchange;
  float* const* states;
  float *x, *pooled, *dbc, *dbc_other, *own_u, *own_gate, *logits;
  W *u, *y;
  W* x_half;                       // x as halves, then sums of squares of eights (normed_x)
  float *partial_dbc, *partial_x;  // PartialSums
  int last_pairs = 0;              // of columns of the out_proj that x waits for
  int x_stride, act_stride, dbc_stride, own_stride;
  int K, np, vocab, vp;
  float eps;
  float* tap;  // of the first stream
  const StreamArgs* streams;
  float* warp_sums;  // [warps][kWarpSums]: a tile's sum shared by warps; scratch of a draw
  enum class Pending { nothing, barrier, x } pending = Pending::nothing;

  // The stream whose vector this lane feeds into products (a column of B).
  __device__ int column() const { return NS == 1 ? 0 : (lane_id() >> 2) & (NS - 1); }
  // The i-th stream whose results this lane holds, and whether it does.
  __device__ int stream(int i) const { return NS == 1 ? 0 : lane_id() % 4 * 2 + i; }
  __device__ bool holds(int i) const { return NS == 1 || stream(i) < NS; }

  // x as products with a norm read it. In a grid's flat model it travels as halves (put_x), and `x`
  // itself holds this CTA's own rows alone; of a column split each CTA makes it (sum_up_x,
  // store_x).
  __device__ auto normed_x(int wp) const {
    if constexpr (T::kHalves)
      return HalvesOfX{x_half, reinterpret_cast<float*>(x_half + wp)};
    else
      return FloatVector<true>{x + column() * x_stride};
  }

  // Until x of this CTA is what the last operation made it.
  __device__ void wait_x(int wp) {
    if (pending == Pending::x) {
      if constexpr (T::kColumns)
        sum_up_x(wp);
      else if constexpr (T::kHalves)
        exchange.wait(kX, x_half, static_cast<std::uint32_t>(wp * 5 / 2));
      else
        exchange.wait(kX, x, static_cast<std::uint32_t>(wp) * 4U);
    }
    if (pending == Pending::barrier) __syncthreads();
    pending = Pending::nothing;
  }

  __device__ static bool is_s4d(const Layer& l) {
    if constexpr (!T::template kHas<S4D>) return false;
    return !T::template kHas<S6> || l.mixer == S4D::kId;
  }
  __device__ int h_floats(const Layer& l) const { return T::template kHas<S4D> ? l.h_floats : np; }
  __device__ float* h_of(const Layer& l, int tile, int s) const {
    return l.h != nullptr ? l.h + (tile * NS + s) * 8 * h_floats(l)
                          : states[s] + l.h_at + tile * 8 * h_floats(l);
  }
  // This lane's first states of a stream.
  __device__ float* lane_h(const Layer& l, int tile, int s) const {
    return h_of(l, tile, s) + (lane_id() >> 2) * h_floats(l) + lane_id() % 4 * 4;
  }
  __device__ float* conv_of(const Layer& l, int tile, int s, int& stride) const {
    stride = l.conv != nullptr ? 8 : l.dp;
    return l.conv != nullptr ? l.conv + (tile * NS + s) * 8 * K : states[s] + l.conv_at + tile * 8;
  }
  __device__ static const float* record(const Layer& l, int tile) {
    return l.records + static_cast<std::ptrdiff_t>(tile) * l.record_floats;
  }
  // Behind the mixer's two matrices, for this lane's channel: in_proj bias [16], conv [K][8], conv
  // bias [8], the mixer's float for delta [8], D [8].
  __device__ const float* channel_record(const Layer& l, int tile) const {
    return record(l, tile) + 8 * h_floats(l) + 8 * l.second + (lane_id() >> 2);
  }

  // A stream's part of the table, or null.
  __device__ const float* table_of(const Layer& l, int s) const {
    const float* table = streams[s].by_hand;
    return table == nullptr ? nullptr : table + l.by_hand_at;
  }
  // Of a stream and one of this CTA's channels.
  template <StepMixer M>
  __device__ ByHand by_hand_of(const Layer& l, int s, int channel) const {
    if constexpr (!T::kByHand) return {};
    return ByHand::of<M>(table_of(l, s), channel);
  }
  // The same of x_proj's row: B and C are changed by the CTA that makes the row.
  struct RowByHand {
    float gain = 1, offset = 0;
    __device__ float of(float v) const { return fmaf(gain, v, offset); }
  };
  __device__ RowByHand row_by_hand(const Layer& l, int s, int row) const {
    const float* table = table_of(l, s);
    if (table == nullptr) return {};
    const float* gain = table + kByHandHead + l.dp + row;
    return {gain[0], gain[l.xp]};
  }

  // 1 / rms of the streams whose results this lane holds, from each lane's share of the squares.
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

  // One layer, from x to x. slot: step % K of its tier; row: of the tap's buffer.
  // next: of one tier alone, the layer that follows: its weights are prefetched.
  __device__ void layer(const Layer& l, std::uint32_t slot, std::uint32_t row,
                        const Layer* next = nullptr) {
    in_proj(l, slot);
    if constexpr (T::template kHas<S4D>) {
      if (is_s4d(l)) {
        mix<S4D>(l, row);
        return finish(l, next);
      }
    }
    mix<S6>(l, row);
    finish(l, next);
    // Hazard: another CTA may put the next layer's delta, B and C while a slow warp here still
    // reads these (y orders only what precedes it). Mechanism: a double buffer; the barrier of the
    // layer between orders the rest.
    if constexpr (T::kShared) {
      float* const last = dbc;
      dbc = dbc_other;
      dbc_other = last;
    }
  }
  __device__ void finish(const Layer& l, const Layer* next) {
    if constexpr (T::kColumns)
      out_proj_columns(l, next);
    else
      out_proj(l);
  }

  // ---- layer_in_proj.cuh
  // What a lane needs for the convolution of its channel: prefetched, since it does not depend on
  // x. The window only where K is 4.
  struct ConvAhead {
    float bias_u = 0, bias_z = 0, bias = 0;
    float4 w{};
    float past[kLaneStreams][3] = {};
  };
  __device__ void in_proj(const Layer& l, std::uint32_t slot);
  template <int kPairs>
  __device__ void in_proj_split(const Layer& l, std::uint32_t slot);
  __device__ void convolve(const Layer& l, int tile, std::uint32_t slot, const ConvAhead& conv,
                           float squares, const float (&c)[4]);
  __device__ void fetch_conv(const Layer& l, int tile, std::uint32_t slot, ConvAhead& conv) const;

  // ---- layer_scan.cuh
  __device__ ScanRows scan_rows(const Layer& l, int tile) const;
  template <StepMixer M>
  __device__ void mix(const Layer& l, std::uint32_t row);
  template <StepMixer M>
  __device__ void fetch_scan(const Layer& l, int tile, ScanAhead<M>& ahead) const;
  template <StepMixer M>
  __device__ void scan(const Layer& l, std::uint32_t row, ScanAhead<M>& ahead);
  template <StepMixer M>
  __device__ void x_proj(const Layer& l, ScanAhead<M>& ahead);
  template <StepMixer M>
  __device__ void keep_in_step(const Layer& l, ScanAhead<M>& ahead);

  // ---- layer_products.cuh
  __device__ static int split_of(int tiles, int pairs);
  template <int kSplit, bool kByPairs, class Vector, class Before>
  __device__ bool split_product(const W* matrix, int begin, int end, int cols, Vector vector,
                                Before before, int& tile, float (&c)[4]);
  template <int kSplit>
  __device__ bool sum_warps(float (&c)[4]);
  template <bool kByPairs, class Vector, class Before, class Prefetch, class Use>
  __device__ void for_each_tile(const W* matrix, int begin, int end, int cols, Before before,
                                Prefetch prefetch, Vector vector, Use use);
  template <class Vector, class Wait, class Prefetch, class Use>
  __device__ void products_by_pairs(const W* matrix, int begin, int end, int cols, Wait wait,
                                    Prefetch prefetch, Vector vector, Use use);
  template <class To>
  __device__ void put_rows(const To& among, Message message, float* to, int stride, int tile,
                           const float (&c)[4]) const;
  struct Addends {  // bias and residual of a tile's rows
    float bias[2];
    float lo[kLaneStreams], hi[kLaneStreams];
  };
  __device__ void fetch_addends(const Layer& l, int tile, Addends& a) const;
  __device__ void out_proj(const Layer& l);
  __device__ void put_x(int wp, int tile, const float (&c)[4]);
  template <class From, class Put>
  __device__ void pool_product(const W* matrix, const float* bias, int tiles, int cols, From from,
                               Put put);
  __device__ void head_product(const W* head, const float* bias, float inv_width, int wp);

  // ---- layer_columns.cuh
  template <int kMost>
  __device__ void fetch_columns(const W* matrix, int tile_size, int tiles, uint4 (&a)[2 * kMost]);
  template <int kMost, int kRows>
  __device__ void put_partial_sums(Message message, const Layer& l, const W* matrix, int tile_size,
                                   int tiles, uint4 (&a)[2 * kMost], const W* vector, float* to);
  __device__ void fetch_in_proj(const Layer& l, Ahead<W, 8>& ahead);
  __device__ void fetch_out_proj(const Layer& l);
  __device__ void in_proj_columns(const Layer& l, std::uint32_t slot);
  template <StepMixer M>
  __device__ void x_proj_columns(const Layer& l, ScanAhead<M>& ahead);
  __device__ void out_proj_columns(const Layer& l, const Layer* next);
  __device__ void sum_up_x(int wp);
  // By all lanes of a warp, for consecutive rows.
  __device__ void store_x(int wp, int s, int row, float v);

  // ---- layer_batch.cuh
  __device__ void in_proj_streams(const Layer& l, std::uint32_t slot);
  template <bool kInShared>
  __device__ void scan_streams(S6, const Layer& l);
  template <bool kInShared>
  __device__ void scan_streams(S4D, const Layer& l);
};

}  // namespace mambo::cuda
