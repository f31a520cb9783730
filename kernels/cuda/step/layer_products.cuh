// LayerStep's products: tiles of 16 rows, each by one warp or several.
#pragma once

#include "kernels/cuda/step/layer_step.cuh"

namespace mambo::cuda {

// How many warps share a tile: several where there are few tiles and long sums.
template <class T>
__device__ int LayerStep<T>::split_of(int tiles, int pairs) {
  if (pairs < 8) return 1;
  return tiles * 4 <= kWarps ? 4 : (tiles * 2 <= kWarps ? 2 : 1);
}

// A tile of [begin, end) by each kSplit warps, all at once; `before` runs between the prefetch of
// weights and the product. True in the warp that has its tile's sum.
template <class T>
template <int kSplit, bool kByPairs, class Vector, class Before>
__device__ bool LayerStep<T>::split_product(const W* matrix, int begin, int end, int cols,
                                            Vector vector, Before before, int& tile,
                                            float (&c)[4]) {
  const int sub = warp_id() % kSplit;
  tile = begin + warp_id() / kSplit;
  if constexpr (kByPairs && kSplit == 4 && Exchange::kSplitsTiles) {
    if (cols == 32 * kSplit * Exchange::kAhead) {  // flat 512: all of it is prefetched
      Fetched whole;
      if (tile < end)
        whole.template fetch_all<kSplit, Exchange::kAhead>(
            matrix + static_cast<std::ptrdiff_t>(tile) * cols * 16, sub);
      else
        whole.clear();
      before(tile);
      if (tile >= end) return false;
      tile_partial_of<kSplit, kByPairs, Exchange::kAhead>(whole, vector, sub, c);
      return sum_warps<kSplit>(c);
    }
  }
  const W* w = tile < end ? matrix + static_cast<std::ptrdiff_t>(tile) * cols * 16 : nullptr;
  Fetched ahead;
  ahead.template fetch<kSplit>(w, cols / 32, sub);
  before(tile);
  if (tile >= end) return false;
  tile_partial<kSplit, kByPairs>(w, ahead, vector, cols / 32, sub, c);
  return sum_warps<kSplit>(c);
}

// Sums the parts of kSplit neighbouring warps (RAW: a named barrier of theirs; what else they have
// put into warp_sums is there, too). True in the warp that has the sum. WAR: nothing is put there
// before the exchange or barrier that follows, which this warp's sum is part of.
template <class T>
template <int kSplit>
__device__ bool LayerStep<T>::sum_warps(float (&c)[4]) {
  const int sub = warp_id() % kSplit;
  float* mine = warp_sums + warp_id() * kWarpSums + (lane_id() >> 2);
  if (sub != 0 && lane_id() % 4 == 0) {
    mine[0] = c[0];
    mine[8] = c[2];
  }
  asm volatile("bar.sync %0, %1;" ::"r"(1 + warp_id() / kSplit), "n"(32 * kSplit) : "memory");
  if (sub != 0) return false;
  if constexpr (kSplit == 2) {
    c[0] += mine[kWarpSums];
    c[2] += mine[kWarpSums + 8];
  } else {
    c[0] = (c[0] + mine[kWarpSums]) + (mine[2 * kWarpSums] + mine[3 * kWarpSums]);
    c[2] = (c[2] + mine[kWarpSums + 8]) + (mine[2 * kWarpSums + 8] + mine[3 * kWarpSums + 8]);
  }
  return true;
}

// Rows [begin, end) (tiles of 16) of a matrix, a warp per tile: weights of the first tile, then
// before(first tile), then the products. prefetch(tile): what use() needs besides the sums.
template <class T>
template <bool kByPairs, class Vector, class Before, class Prefetch, class Use>
__device__ void LayerStep<T>::for_each_tile(const W* matrix, int begin, int end, int cols,
                                            Before before, Prefetch prefetch, Vector vector,
                                            Use use) {
  const int pairs = cols / 32;
  const int size = cols * 16;
  int tile = begin + warp_id();
  Fetched ahead;
  ahead.fetch(tile < end ? matrix + static_cast<std::ptrdiff_t>(tile) * size : nullptr, pairs);
  before(tile);
#pragma unroll 1
  for (; tile < end; tile += kWarps) {
    float c[4];
    const float squares = tile_product<kByPairs>(matrix + static_cast<std::ptrdiff_t>(tile) * size,
                                                 ahead, vector(), pairs, c);
    if (tile + kWarps < end)
      ahead.fetch(matrix + static_cast<std::ptrdiff_t>(tile + kWarps) * size, pairs);
    use(tile, squares, c);
    if (tile + kWarps < end) prefetch(tile + kWarps);
  }
}

// The same where pairs of columns are summed by themselves (x_proj, out_proj), by several warps per
// tile where there are few. wait: for the vector.
template <class T>
template <class Vector, class Wait, class Prefetch, class Use>
__device__ void LayerStep<T>::products_by_pairs(const W* matrix, int begin, int end, int cols,
                                                Wait wait, Prefetch prefetch, Vector vector,
                                                Use use) {
  const auto before = [&](int tile) {
    prefetch(tile);
    wait();
  };
  if constexpr (T::kShared) {
    const int ways = split_of(end - begin, cols / 32);
    if (ways > 1) {
      int tile;
      float c[4];
      const bool done =
          ways == 4 ? split_product<4, true>(matrix, begin, end, cols, vector(), before, tile, c)
                    : split_product<2, true>(matrix, begin, end, cols, vector(), before, tile, c);
      if (done) use(tile, 0.0F, c);
      return;
    }
  }
  for_each_tile<true>(matrix, begin, end, cols, before, prefetch, vector, use);
}

// Rows of a tile to this CTA alone, or to all.
template <class T>
template <class To>
__device__ void LayerStep<T>::put_rows(const To& among, Message message, float* to, int stride,
                                       int tile, const float (&c)[4]) const {
  if constexpr (NS == 1) {
    among.put_rows(message, to, tile, c[0], c[2]);
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

// The low-rank input of delta, B and C; complete for this CTA when it returns.
template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::x_proj(const Layer& l, ScanAhead<M>& ahead) {
  // Where its rows are split, they are all-gathered; else each CTA computes all of them.
  const bool split = l.dbc_end - l.dbc_begin != l.xp / 16;
  RowByHand hand[2][kLaneStreams];  // of rows r and r + 8 of a tile
  products_by_pairs(
      l.x_proj, l.dbc_begin, l.dbc_end, l.dp,
      [&] { exchange.wait(kU, u, static_cast<std::uint32_t>(l.dp * sizeof(W))); },
      [&](int tile) {
        if constexpr (T::kByHand) {
          if (tile >= l.dbc_end) return;
#pragma unroll
          for (int i = 0; i < 2 * kLaneStreams; ++i) {
            if (holds(i % kLaneStreams))
              hand[i / kLaneStreams][i % kLaneStreams] = row_by_hand(
                  l, stream(i % kLaneStreams), tile * 16 + i / kLaneStreams * 8 + (lane_id() >> 2));
          }
        }
      },
      [&] { return Activation{u + column() * act_stride}; },
      [&](int tile, float, float(&c)[4]) {
        if constexpr (T::kByHand) {
#pragma unroll
          for (int i = 0; i < kLaneStreams; ++i) {
            c[i] = hand[0][i].of(c[i]);
            c[2 + i] = hand[1][i].of(c[2 + i]);
          }
        }
        if (split)
          put_rows(exchange, kDbc, dbc, dbc_stride, tile, c);
        else
          put_rows(CtaExchange(), kDbc, dbc, dbc_stride, tile, c);
      });
  if (split) exchange.wait(kDbc, dbc, static_cast<std::uint32_t>(l.xp) * 4U);
  if constexpr (NS == 1) fetch_scan(l, l.tile_begin + warp_id(), ahead);
  __syncthreads();
}

// Prefetched before the wait, but not added to each other before it: the sum would wait for the
// bias.
template <class T>
__device__ void LayerStep<T>::fetch_addends(const Layer& l, int tile, Addends& a) const {
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

template <class T>
__device__ void LayerStep<T>::out_proj(const Layer& l) {
  Addends addends;
  products_by_pairs(
      l.out_proj, l.row_begin, l.row_end, l.dp,
      [&] { exchange.wait(kY, y, static_cast<std::uint32_t>(l.dp * sizeof(W))); },
      [&](int tile) { fetch_addends(l, tile, addends); },
      [&] { return Activation{y + column() * act_stride}; },
      [&](int tile, float, float(&c)[4]) {
#pragma unroll
        for (int i = 0; i < kLaneStreams; ++i) {
          c[i] += addends.bias[0] + addends.lo[i];
          c[2 + i] += addends.bias[1] + addends.hi[i];
        }
        put_x(l.wp, tile, c);
      });
  pending = Pending::x;
}

// Rows of a tile of x to every CTA.
template <class T>
__device__ void LayerStep<T>::put_x(int wp, int tile, const float (&c)[4]) {
  if constexpr (T::kHalves) {
    CtaExchange().put_rows(kX, x, tile, c[0], c[2]);
    exchange.put_halves(kX, normed_x(wp), tile, c[0], c[2]);
  } else {
    put_rows(exchange, kX, x, x_stride, tile, c);
  }
}

// matrix x vectors + bias, handed to put(tile, sums); the vectors are each stream's own, at
// from(s).
template <class T>
template <class From, class Put>
__device__ void LayerStep<T>::pool_product(const W* matrix, const float* bias, int tiles, int cols,
                                           From from, Put put) {
  int begin, end;
  share(tiles, exchange.members, exchange.me, begin, end);
  if constexpr (T::kShared) {
    if (split_of(end - begin, cols / 32) == 4) {
      float lo = 0.0F;
      float hi = 0.0F;
      const auto before = [&](int tile) {
        if (tile >= end) return;
        lo = bias[tile * 16 + (lane_id() >> 2)];
        hi = bias[tile * 16 + 8 + (lane_id() >> 2)];
      };
      int tile;
      float c[4];
      if (split_product<4, false>(matrix, begin, end, cols, FloatVector<false>{from(0)}, before,
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

// logits = head x; complete for this CTA when it returns (with a barrier).
template <class T>
__device__ void LayerStep<T>::head_product(const W* head, const float* bias, float inv_width,
                                           int wp) {
  int begin, end;
  share(vp / 16, exchange.members, exchange.me, begin, end);
  float lo = 0.0F;
  float hi = 0.0F;
  const auto prefetch = [&](int tile) {
    lo = bias[tile * 16 + (lane_id() >> 2)];
    hi = bias[tile * 16 + 8 + (lane_id() >> 2)];
  };
  for_each_tile<false>(
      head, begin, end, wp,
      [&](int tile) {
        if (tile < end) prefetch(tile);
        wait_x(wp);
      },
      prefetch, [&] { return normed_x(wp); },
      [&](int tile, float squares, float(&c)[4]) {
        float factor[kLaneStreams];
        rms_factors(squares, inv_width, factor);
#pragma unroll
        for (int i = 0; i < kLaneStreams; ++i) {
          c[i] = fmaf(c[i], factor[i], lo);
          c[2 + i] = fmaf(c[2 + i], factor[i], hi);
        }
        put_rows(exchange, kLogits, logits, vp, tile, c);
      });
  exchange.wait(kLogits, logits, static_cast<std::uint32_t>(vp) * 4U);
}

}  // namespace mambo::cuda
