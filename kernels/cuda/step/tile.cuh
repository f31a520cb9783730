// Products of packed tiles (network.h) with vectors: one warp, one tile of 16 rows, all columns.
//
// Every plan, batch size and device must draw the same samples, so the order of a sum is part of
// the definition here: pairs of tiles c = 0, 1, ... add to four running sums c % 4, and the result
// is (s0 + s1) + (s2 + s3). Four, so that the tensor core's latency is paid a quarter as often. In
// x_proj and out_proj a pair is worked out by itself and then added (add_pair), so that a team can
// share pairs out; in all others the tensor core adds it to its running sum. A lane's part of a
// vector's sum of squares is gathered in the same order.
//
// In half storage a product is mma.m16n8k16 with float32 sums: the weights are A, and B holds one
// vector a column, so up to eight streams cost what one does. A lane (r = lane / 4, q = lane % 4)
// gets rows r and r + 8 of columns (streams) 2q and 2q + 1; with one stream all columns are equal.
// In float32 storage it is a plain product of one stream, shared out among the lanes likewise.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

namespace mambo::cuda {

// Warps of a CTA. Eight, not sixteen: they meet sooner, and each has the registers to fetch what it
// needs far ahead (measured: a batch is 1.4 times as fast).
constexpr int kAloneWarps = 8;
constexpr int kSharedWarps = 8;
constexpr int kSharedThreads = 32 * kSharedWarps;

__device__ inline int lane_id() { return static_cast<int>(threadIdx.x) & 31; }
__device__ inline int warp_id() { return static_cast<int>(threadIdx.x) >> 5; }

__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFU, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFU, x, 2);
}

// Two floats as halves; what half cannot hold saturates instead of becoming infinite. (A NaN stays
// one where the conversion saturates by itself, and becomes the largest number where it does not.)
__device__ inline std::uint32_t pack_half2(float a, float b) {
#if __CUDA_ARCH__ >= 800 && __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1201
  std::uint32_t packed;
  asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(b), "f"(a));
  return packed;
#elif __CUDA_ARCH__ >= 800
  const __half2 most = __half2half2(__ushort_as_half(0x7BFF));
  const __half2 h = __hmax2(__hmin2(__floats2half2_rn(a, b), most), __hneg2(most));
  return *reinterpret_cast<const std::uint32_t*>(&h);
#else
  const __half2 h =
      __floats2half2_rn(fminf(fmaxf(a, -65504.0F), 65504.0F), fminf(fmaxf(b, -65504.0F), 65504.0F));
  return *reinterpret_cast<const std::uint32_t*>(&h);
#endif
}
__device__ inline void store_act(__half* p, float x) {
  const std::uint32_t h = pack_half2(x, 0.0F);
  *p = __ushort_as_half(static_cast<unsigned short>(h));
}
__device__ inline void store_act(float* p, float x) { *p = x; }

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

__device__ inline float dot4(const float4& a, const float4& b) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, a.x * b.x)));
}

// The j-th pair of tiles that the sub-th of kSplit warps adds up (tile_partial).
template <int kSplit>
__device__ inline int pair_of(int j, int sub) {
  constexpr int kSums = 4 / kSplit;
  return j / kSums * 4 + sub * kSums + j % kSums;
}

// The first pairs of a tile's weights, fetched ahead of the vector that they wait for: so that the
// barrier before the product hides the way from shared memory or the L2.
template <class W, int kMost>
struct Ahead {
  __device__ void fetch(const W*, int) {}
};
template <int kMost>
struct Ahead<__half, kMost> {
  uint4 a[2 * kMost];
  // Where nothing is fetched: undefined registers would keep what was there before alive.
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
    // Every register is written, needed or not: else the compiler keeps the old ones alive.
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

// Sum of squares of eight neighbours, by pairs: as lanes that hold one each would add them up.
__device__ inline float squares8(const float4& a, const float4& b) {
  // No fused multiply-adds: those would depend on which of the two is added to which.
  const auto two = [](float x, float y) { return __fadd_rn(__fmul_rn(x, x), __fmul_rn(y, y)); };
  return (two(a.x, a.y) + two(a.z, a.w)) + (two(b.x, b.y) + two(b.z, b.w));
}

// Vectors as a lane reads them: its stream's row, its share of pair c. `sum` of squares is gathered
// on the way where a norm is wanted.
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

// x of one stream as its makers have rounded and squared it: halves, and the sum of squares of each
// eight of them.
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

// Adds a pair of tiles, b its columns' part of the vector. By pairs: worked out by itself, then
// added, so that CTAs can work out pairs and others add them up (worker_team.cuh).
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
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (kSums == 4) c[i] = (acc[0][i] + acc[1][i]) + (acc[2][i] + acc[3][i]);
    if constexpr (kSums == 2) c[i] = acc[0][i] + acc[1][i];
    if constexpr (kSums == 1) c[i] = acc[0][i];
  }
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
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (kSums == 4) c[i] = (acc[0][i] + acc[1][i]) + (acc[2][i] + acc[3][i]);
    if constexpr (kSums == 2) c[i] = acc[0][i] + acc[1][i];
    if constexpr (kSums == 1) c[i] = acc[0][i];
  }
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
#pragma unroll
  for (int t = 0; t < 2; ++t)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      c[t][i] = (acc[t][0][i] + acc[t][1][i]) + (acc[t][2][i] + acc[t][3][i]);
  return sum_up(squares);
}

// The same in float32, one stream; c is the same in all four of a row's lanes.
template <bool kByPairs = false, int kAhead>
__device__ inline float tile_product(const float* tile, const Ahead<float, kAhead>&,
                                     FloatVector<true> v, int pairs, float (&c)[4]) {
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
template <bool kByPairs = false, int kAhead>
__device__ inline float tile_product(const float* tile, const Ahead<float, kAhead>& ahead,
                                     FloatVector<false> v, int pairs, float (&c)[4]) {
  return tile_product(tile, ahead, FloatVector<true>{v.p}, pairs, c);
}

// Which vector type a stored activation has.
template <class W>
struct ActVector;
template <>
struct ActVector<__half> {
  using type = HalfVector;
};
template <>
struct ActVector<float> {
  using type = FloatVector<false>;
};

}  // namespace mambo::cuda
