// Products of packed tiles (pack/device_network.h) with vectors: one warp, one tile of 16 rows, all
// columns.
//
// Every plan, batch size and device must draw the same samples, so the order of a sum is part of
// the definition here: pairs of tiles c = 0, 1, ... add to four running sums c % 4, and the result
// is (s0 + s1) + (s2 + s3). Four, so that the tensor core's latency is paid a quarter as often. In
// x_proj and out_proj a pair is computed by itself and then added (add_pair), so that CTAs can
// split pairs among them; in all others the tensor core adds it to its running sum. A lane's share
// of a vector's sum of squares is gathered in the same order.
//
// Half weights: mma.m16n8k16 with float32 sums. The weights are A, and B holds one vector per
// column, so up to eight streams cost what one does. A lane (r = lane / 4, q = lane % 4) gets rows
// r and r + 8 of columns (streams) 2q and 2q + 1; with one stream all columns are equal. Float32
// weights: a plain product of one stream, split among the lanes likewise.
#pragma once

#include "kernels/cuda/step/device_math.cuh"

namespace mambo::cuda {

__device__ inline void mma_16816(float (&c)[4], const uint4& a, std::uint32_t b0,
                                 std::uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
#else
  const auto half = [&c](std::uint32_t x, std::uint32_t y, std::uint32_t b) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(x), "r"(y), "r"(b));
  };
  half(a.x, a.y, b0);
  half(a.z, a.w, b1);
#endif
}

// The j-th pair of tiles that the sub-th of kSplit warps adds up (tile_partial).
template <int kSplit>
__device__ inline int pair_of(int j, int sub) {
  constexpr int kSums = 4 / kSplit;
  return j / kSums * 4 + sub * kSums + j % kSums;
}

// Prefetch of the first pairs of a tile's weights, issued before the wait for the vector: the
// barrier then hides the latency of shared memory or the L2.
template <class W, int kMost>
struct Ahead {
  __device__ void fetch(const W*, int) {}
};
template <int kMost>
struct Ahead<__half, kMost> {
  uint4 a[2 * kMost];
  // Defines the registers where nothing is fetched: else the compiler keeps the old values alive.
  __device__ void clear() {
#pragma unroll
    for (uint4& v : a) v = uint4{};
  }
  // Exactly kPairs pairs of each of kSplit warps, no fewer.
  template <int kSplit, int kPairs>
  __device__ void fetch_all(const __half* tile, int sub) {
    const uint4* w =
        reinterpret_cast<const uint4*>(tile) + lane_id() + pair_of<kSplit>(0, sub) * 64;
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      a[2 * j] = w[pair_of<kSplit>(j, 0) * 64];
      a[2 * j + 1] = w[pair_of<kSplit>(j, 0) * 64 + 32];
    }
  }
  // tile: null for warps that have none. kSplit, sub: as in tile_partial.
  template <int kSplit = 1>
  __device__ void fetch(const __half* tile, int pairs, int sub = 0) {
    // Every register is defined on every path, as in clear().
    if (tile == nullptr) pairs = 0;
    const uint4* w = reinterpret_cast<const uint4*>(tile) + lane_id();
#pragma unroll
    for (int j = 0; j < kMost; ++j) {
      const int p = pair_of<kSplit>(j, sub);
      a[2 * j] = p < pairs ? w[p * 64] : uint4{};
      a[2 * j + 1] = p < pairs ? w[p * 64 + 32] : uint4{};
    }
  }
};

// Vectors as a lane reads them: its stream's row, its share of pair c. Where a norm follows, the
// sum of squares is gathered on the way.
struct HalfVector {
  const __half* p;
  __device__ void move(int pairs) { p += pairs * 32; }
  __device__ uint4 pair(int c, float&) const {
    return *reinterpret_cast<const uint4*>(p + c * 32 + lane_id() % 4 * 8);
  }
};
template <bool kNorm>
struct FloatVector {
  const float* p;
  __device__ void move(int pairs) { p += pairs * 32; }
  __device__ uint4 pair(int c, float& squares) const {
    const float4* v = reinterpret_cast<const float4*>(p + c * 32 + lane_id() % 4 * 8);
    const float4 a = v[0];
    const float4 b = v[1];
    if (kNorm) squares += squares8(a, b);
    return make_uint4(pack_half2(a.x, a.y), pack_half2(a.z, a.w), pack_half2(b.x, b.y),
                      pack_half2(b.z, b.w));
  }
};

// x of one stream, rounded and squared once by its producers: halves, and the sum of squares of
// each eight of them.
struct HalvesOfX {
  __half* x;
  float* squares;
  __device__ void move(int pairs) {
    x += pairs * 32;
    squares += pairs * 4;
  }
  __device__ uint4 pair(int c, float& sum) const {
    sum += squares[c * 4 + lane_id() % 4];
    return *reinterpret_cast<const uint4*>(x + c * 32 + lane_id() % 4 * 8);
  }
};

// Running sums as one: all four, or a warp's share of them.
template <int kSums>
__device__ inline float sum_up(const float (&s)[kSums]) {
  if constexpr (kSums == 4) return (s[0] + s[1]) + (s[2] + s[3]);
  if constexpr (kSums == 2) return s[0] + s[1];
  return s[0];
}

// The same for a tile's four results.
template <int kSums>
__device__ inline void combine(const float (&acc)[kSums][4], float (&c)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    float s[kSums];
#pragma unroll
    for (int j = 0; j < kSums; ++j) s[j] = acc[j][i];
    c[i] = sum_up(s);
  }
}

// Adds a pair of tiles, b its columns' part of the vector. By pairs: computed by itself, then
// added, so that one CTA can compute a pair and another add it (layer_columns.cuh).
template <bool kByPairs>
__device__ inline void add_pair(float (&sum)[4], const uint4& first, const uint4& second,
                                const uint4& b) {
  if constexpr (kByPairs) {
    float c[4] = {};
    mma_16816(c, first, b.x, b.y);
    mma_16816(c, second, b.z, b.w);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += c[i];
  } else {
    mma_16816(sum, first, b.x, b.y);
    mma_16816(sum, second, b.z, b.w);
  }
}

// A warp's part of tile x vector, where kSplit warps (1, 2 or 4) share the four sums; c: rows r
// (c[0], c[1]) and r + 8 (c[2], c[3]) of streams 2q, 2q + 1. Parts add up as (p0 + p1) + (p2 + p3).
// Returns this lane's part of its stream's sum of squares, likewise, if the vector gathers it.
// `ahead` holds the first pairs.
template <int kSplit, bool kByPairs, int kAhead, class Vector>
__device__ inline float tile_partial(const __half* tile, const Ahead<__half, kAhead>& ahead,
                                     Vector vector, int pairs, int sub, float (&c)[4]) {
  constexpr int kSums = 4 / kSplit;
  float acc[kSums][4] = {};
  float squares[kSums] = {};
#pragma unroll
  for (int j = 0; j < kAhead; ++j) {
    const int p = pair_of<kSplit>(j, sub);
    if (p < pairs)
      add_pair<kByPairs>(acc[j % kSums], ahead.a[2 * j], ahead.a[2 * j + 1],
                         vector.pair(p, squares[j % kSums]));
  }
  const uint4* w = reinterpret_cast<const uint4*>(tile) + lane_id();
#pragma unroll 1
  for (int first = kAhead; pair_of<kSplit>(first, sub) < pairs; first += 4) {
    uint4 a[8];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int p = pair_of<kSplit>(first + j, sub);
      a[2 * j] = p < pairs ? w[p * 64] : uint4{};
      a[2 * j + 1] = p < pairs ? w[p * 64 + 32] : uint4{};
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int p = pair_of<kSplit>(first + j, sub);
      if (p < pairs)
        add_pair<kByPairs>(acc[j % kSums], a[2 * j], a[2 * j + 1],
                           vector.pair(p, squares[j % kSums]));
    }
  }
  combine(acc, c);
  return sum_up(squares);
}
// Where a warp's part is exactly what was fetched ahead.
template <int kSplit, bool kByPairs, int kPairs, int kAhead, class Vector>
__device__ inline float tile_partial_of(const Ahead<__half, kAhead>& ahead, Vector vector, int sub,
                                        float (&c)[4]) {
  constexpr int kSums = 4 / kSplit;
  float acc[kSums][4] = {};
  float squares[kSums] = {};
  vector.move(pair_of<kSplit>(0, sub));
#pragma unroll
  for (int j = 0; j < kPairs; ++j)
    add_pair<kByPairs>(acc[j % kSums], ahead.a[2 * j], ahead.a[2 * j + 1],
                       vector.pair(pair_of<kSplit>(j, 0), squares[j % kSums]));
  combine(acc, c);
  return sum_up(squares);
}
template <bool kByPairs = false, int kAhead, class Vector>
__device__ inline float tile_product(const __half* tile, const Ahead<__half, kAhead>& ahead,
                                     Vector vector, int pairs, float (&c)[4]) {
  return tile_partial<1, kByPairs>(tile, ahead, vector, pairs, 0, c);
}

// Two whole tiles with one vector: the sums of tile_product, tile by tile.
template <int kAhead, class Vector>
__device__ inline float two_tiles(const __half* first, const __half* second,
                                  const Ahead<__half, kAhead> (&ahead)[2], Vector vector, int pairs,
                                  float (&c)[2][4]) {
  float acc[2][4][4] = {};
  float squares[4] = {};
#pragma unroll
  for (int p = 0; p < kAhead; ++p) {
    if (p < pairs) {
      const uint4 b = vector.pair(p, squares[p % 4]);
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        mma_16816(acc[t][p % 4], ahead[t].a[2 * p], b.x, b.y);
        mma_16816(acc[t][p % 4], ahead[t].a[2 * p + 1], b.z, b.w);
      }
    }
  }
  const uint4* const w[2] = {reinterpret_cast<const uint4*>(first) + lane_id(),
                             reinterpret_cast<const uint4*>(second) + lane_id()};
#pragma unroll 1
  for (int begin = kAhead; begin < pairs; begin += 4) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int p = begin + j;
      if (p < pairs) {
        const uint4 b = vector.pair(p, squares[j]);
#pragma unroll
        for (int t = 0; t < 2; ++t) {
          mma_16816(acc[t][j], w[t][p * 64], b.x, b.y);
          mma_16816(acc[t][j], w[t][p * 64 + 32], b.z, b.w);
        }
      }
    }
  }
  combine(acc[0], c[0]);
  combine(acc[1], c[1]);
  return sum_up(squares);
}

// The same in float32, one stream; c is the same in all four of a row's lanes.
template <bool kByPairs = false, int kAhead, bool kNorm>
__device__ inline float tile_product(const float* tile, const Ahead<float, kAhead>&,
                                     FloatVector<kNorm> v, int pairs, float (&c)[4]) {
  const float4* w = reinterpret_cast<const float4*>(tile) + lane_id() * 2;
  float acc[4][2] = {};
  float squares[4] = {};
#pragma unroll 1
  for (int p = 0; p < pairs; p += 4) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (p + j < pairs) {
        const float4* x = reinterpret_cast<const float4*>(v.p + (p + j) * 32 + lane_id() % 4 * 8);
#pragma unroll
        for (int o = 0; o < 2; ++o) {
          const float4 b = x[o];
          acc[j][0] += dot4(w[((p + j) * 2 + o) * 64], b);
          acc[j][1] += dot4(w[((p + j) * 2 + o) * 64 + 1], b);
        }
        squares[j] += squares8(x[0], x[1]);
      }
    }
  }
  c[0] = quad_sum((acc[0][0] + acc[1][0]) + (acc[2][0] + acc[3][0]));
  c[2] = quad_sum((acc[0][1] + acc[1][1]) + (acc[2][1] + acc[3][1]));
  c[1] = c[0];
  c[3] = c[2];
  return sum_up(squares);
}

}  // namespace mambo::cuda
