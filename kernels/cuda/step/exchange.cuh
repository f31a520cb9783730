// How the CTAs that share out a step give each other what they computed. Each holds the whole
// vectors in its own shared memory; a producer puts its part into everyone's, a consumer waits
// until a vector is complete. Four ways:
//   Alone    one CTA: plain stores, and a barrier.
//   Cluster  CTAs of one cluster: st.async stores that count their bytes at the receiver's mbarrier
//            (distributed shared memory, sm_90), so that data and signal travel together.
//   Team     the same, but what travels are parts of sums, two floats a store, which each receiver
//            adds up for itself.
//   Grid     any CTAs that run at the same time: 16-byte words in global memory of 8 bytes of data
//            and twice a number that tells this exchange from earlier ones; readers poll the words
//            themselves (NCCL's LL protocol).
//
// Why nobody overwrites what another still reads, without any barrier across CTAs: each kind of
// exchange has a barrier and a place of its own, and in every layer each CTA contributes to `u` and
// to `y`, so no CTA gets more than one exchange ahead of another (plan.cu sees to it that every CTA
// owns channels of every layer). Of a team's parts: worker_team.cuh.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/step/tile.cuh"

namespace mambo::cuda {

enum Kind : int { kU, kD, kY, kX, kQ, kP, kL, kKinds };
// u; dbc; y; x; x of the next tier (down_pool); up (up_pool); logits.

// ---- mbarriers and remote stores (sm_90)
// -----------------------------------------------------------
__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

#if __CUDA_ARCH__ >= 900
__device__ inline std::uint32_t of_rank(std::uint32_t address, int rank) {
  std::uint32_t there;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}
__device__ inline void store_async(std::uint32_t there, const uint4& v, std::uint32_t bar_there) {
  asm volatile(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1,%2,%3,%4}, "
      "[%5];" ::"r"(there),
      "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w), "r"(bar_there)
      : "memory");
}
__device__ inline void store_async(std::uint32_t there, float a, float b, std::uint32_t bar_there) {
  asm volatile(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1,%2}, [%3];" ::
          "r"(there),
      "f"(a), "f"(b), "r"(bar_there)
      : "memory");
}
__device__ inline void store_async(std::uint32_t there, std::uint32_t v, std::uint32_t bar_there) {
  asm volatile(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(there),
      "r"(v), "r"(bar_there)
      : "memory");
}
__device__ inline void store_shared(std::uint32_t at, std::uint32_t v) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(at), "r"(v) : "memory");
}
__device__ inline void bar_init(std::uint32_t bar) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(bar) : "memory");
}
// Announces how many bytes complete the present phase.
__device__ inline void bar_expect(std::uint32_t bar, std::uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes)
               : "memory");
}
// What other CTAs of the cluster sent (st.async: its complete-tx releases in the cluster's scope)
// is to be seen by who has waited, so the wait acquires in that scope; left to itself it acquires
// in the CTA's. Only shared memory travels: a fence that is restricted to it costs nothing, where
// the acquiring wait throws away the first-level cache, and with it weights on their way. PTX 8.6.
#if __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1208
#define MAMBO_BAR_WAIT "mbarrier.test_wait.parity.relaxed.cluster.shared::cta.b64"
#define MAMBO_BAR_ACQUIRE "fence.acquire.sync_restrict::shared::cluster.cluster;\n"
#else
#define MAMBO_BAR_WAIT "mbarrier.test_wait.parity.acquire.cluster.shared::cta.b64"
#define MAMBO_BAR_ACQUIRE ""
#endif
__device__ inline void bar_wait(std::uint32_t bar, std::uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "again:\n" MAMBO_BAR_WAIT
      " p, [%0], %1;\n"
      "@p bra done;\n"
      "bra again;\n"
      "done:\n" MAMBO_BAR_ACQUIRE "}\n" ::"r"(bar),
      "r"(parity)
      : "memory");
}
#undef MAMBO_BAR_WAIT
#undef MAMBO_BAR_ACQUIRE
__device__ inline void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n barrier.cluster.wait.acquire.aligned;" ::
                   : "memory");
}
#else
__device__ inline std::uint32_t of_rank(std::uint32_t, int) { return 0; }
__device__ inline void store_async(std::uint32_t, const uint4&, std::uint32_t) {}
__device__ inline void store_async(std::uint32_t, float, float, std::uint32_t) {}
__device__ inline void store_async(std::uint32_t, std::uint32_t, std::uint32_t) {}
__device__ inline void store_shared(std::uint32_t, std::uint32_t) {}
__device__ inline void bar_init(std::uint32_t) {}
__device__ inline void bar_expect(std::uint32_t, std::uint32_t) {}
__device__ inline void bar_wait(std::uint32_t, std::uint32_t) {}
__device__ inline void cluster_sync() {}
#endif

// ---- A warp's results, gathered into words
// ---------------------------------------------------------- v: of channel r = lane / 4 of the
// unit, the same in the row's four lanes. 16 bytes of halves, in every lane.
__device__ inline uint4 gather_unit(float v) {
  const float other = __shfl_xor_sync(0xFFFFFFFFU, v, 4);
  const std::uint32_t pair = pack_half2(v, other);  // right in lanes of even r
  return make_uint4(__shfl_sync(0xFFFFFFFFU, pair, 0), __shfl_sync(0xFFFFFFFFU, pair, 8),
                    __shfl_sync(0xFFFFFFFFU, pair, 16), __shfl_sync(0xFFFFFFFFU, pair, 24));
}
// lo, hi: of rows r and r + 8 of a tile. Floats 4 * chunk .. + 3 of its 16.
__device__ inline uint4 gather_rows(float lo, float hi, int chunk) {
  std::uint32_t w[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int from = ((chunk & 1) * 4 + i) * 4;
    const float a = __shfl_sync(0xFFFFFFFFU, lo, from);
    const float b = __shfl_sync(0xFFFFFFFFU, hi, from);
    w[i] = __float_as_uint((chunk & 2) != 0 ? b : a);
  }
  return make_uint4(w[0], w[1], w[2], w[3]);
}
// Floats 4 * chunk .. + 3 of a unit's 8.
__device__ inline uint4 gather_unit_floats(float v, int chunk) {
  std::uint32_t w[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    w[i] = __float_as_uint(__shfl_sync(0xFFFFFFFFU, v, ((chunk & 1) * 4 + i) * 4));
  return make_uint4(w[0], w[1], w[2], w[3]);
}

// v: of channel r of a unit, the same in the row's four lanes. The unit's sum of squares, added up
// as squares8 does, in every lane.
__device__ inline float squares_of_unit(float v) {
  float sum = __fmul_rn(v, v);
#pragma unroll
  for (int lanes = 4; lanes <= 16; lanes *= 2)
    sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, lanes));
  return sum;
}

template <int kNumberOfWarps>
struct AloneOf {
  static constexpr bool kShared = false;
  static constexpr int kWarps = kNumberOfWarps;
  static constexpr int kAhead = 4;             // pairs of tiles that are fetched before a wait
  static constexpr bool kSplitsUnits = false;  // few tiles a CTA: in_proj by four warps a unit
  static constexpr bool kFlat = false;         // of one tier alone (Flat)
  static constexpr bool kUsual = false;        // K = 4 and N = 16 are known (Usual)
  static constexpr bool kTeam = false;         // products by their columns (Team)
  static constexpr bool kMixed = false;        // some layers are time-invariant (Mixed)
  int members = 1, me = 0;
  __device__ void put_unit(Kind, __half* to, int unit, float v) const {
    if (lane_id() % 4 == 0) store_act(to + unit * 8 + lane_id() / 4, v);
  }
  __device__ void put_unit(Kind, float* to, int unit, float v) const {
    if (lane_id() % 4 == 0) to[unit * 8 + lane_id() / 4] = v;
  }
  __device__ void put_rows(Kind, float* to, int tile, float lo, float hi) const {
    if (lane_id() % 4 != 0) return;
    to[tile * 16 + lane_id() / 4] = lo;
    to[tile * 16 + 8 + lane_id() / 4] = hi;
  }
  __device__ void wait(Kind, void*, std::uint32_t) { __syncthreads(); }
};

using Alone = AloneOf<kAloneWarps>;

struct Cluster {
  static constexpr bool kShared = true;
  static constexpr bool kFlat = false;
  static constexpr bool kUsual = false;
  static constexpr bool kTeam = false;
  static constexpr bool kMixed = false;
  // A cluster's SMs have several units each, too many for four warps a unit; two a unit gain
  // nothing (docs/performance.md). So the code for it is left out.
  static constexpr bool kSplitsUnits = false;
  static constexpr int kWarps = kSharedWarps;
  static constexpr int kAhead = 8;
  int members, me;  // ranks base .. base + members - 1 of the cluster share the work
  int base;
  std::uint32_t bars;        // shared address of an mbarrier a kind
  std::uint32_t phases = 0;  // a bit a kind

  __device__ std::uint32_t bar(Kind kind) const { return bars + 8U * static_cast<unsigned>(kind); }
  __device__ void put_unit(Kind kind, __half* to, int unit, float v) const {
    const uint4 w = gather_unit(v);
    const std::uint32_t here = shared_address(to + unit * 8);
    if (lane_id() < members)
      store_async(of_rank(here, base + lane_id()), w, of_rank(bar(kind), base + lane_id()));
  }
  __device__ void put_unit(Kind kind, float* to, int unit, float v) const {
    const int chunk = lane_id() & 1;
    const uint4 w = gather_unit_floats(v, chunk);
    const std::uint32_t here = shared_address(to + unit * 8 + chunk * 4);
    const int peer = lane_id() >> 1;
    if (peer < members) store_async(of_rank(here, base + peer), w, of_rank(bar(kind), base + peer));
  }
  __device__ void put_rows(Kind kind, float* to, int tile, float lo, float hi) const {
    const int chunk = lane_id() & 3;
    const uint4 w = gather_rows(lo, hi, chunk);
    const std::uint32_t here = shared_address(to + tile * 16 + chunk * 4);
    for (int peer = lane_id() >> 2; peer < members; peer += 8)
      store_async(of_rank(here, base + peer), w, of_rank(bar(kind), base + peer));
  }
  // To one CTA of the cluster, at its `bar_there`.
  __device__ static void put_rows_to(int rank, float* to, std::uint32_t bar_here, int tile,
                                     float lo, float hi) {
    const int chunk = lane_id() & 3;
    const uint4 w = gather_rows(lo, hi, chunk);
    if (lane_id() < 4)
      store_async(of_rank(shared_address(to + tile * 16 + chunk * 4), rank), w,
                  of_rank(bar_here, rank));
  }
  __device__ void wait(Kind kind, void*, std::uint32_t bytes) {
    if (threadIdx.x == 0) bar_expect(bar(kind), bytes);
    bar_wait(bar(kind), (phases >> kind) & 1U);
    phases ^= 1U << kind;
  }
};

struct Grid {
  static constexpr bool kShared = true;
  static constexpr bool kFlat = false;
  static constexpr bool kUsual = false;
  static constexpr bool kTeam = false;
  static constexpr bool kMixed = false;
  static constexpr bool kSplitsUnits = true;
  static constexpr int kWarps = kSharedWarps;
  static constexpr int kAhead = 8;
  int members, me;
  // Every letter is written kMailCopies times, and each CTA reads its own copy: a line that a
  // hundred CTAs poll keeps its writer waiting.
  uint4* mail;  // global memory: kMailCopies times `words`
  std::uint32_t words;
  std::uint32_t at[kKinds];   // where each kind's words begin
  std::uint32_t seq[kKinds];  // tells this use of a kind from those before

  __device__ static void write(uint4* to, std::uint32_t a, std::uint32_t b, std::uint32_t seq) {
    asm volatile("st.volatile.global.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(to), "r"(a), "r"(seq),
                 "r"(b), "r"(seq)
                 : "memory");
  }
  // kWords words from `first` on: word i of copy c is lane c * kWords + i, and so on.
  template <int kWords>
  __device__ void post(Kind kind, int first, std::uint32_t a, std::uint32_t b) const {
#pragma unroll
    for (int i = 0; i < kMailCopies * kWords; i += 32) {
      const int copy = (i + lane_id()) / kWords;
      if (copy >= kMailCopies) break;
      write(mail + static_cast<std::size_t>(copy) * words + at[kind] + first + lane_id() % kWords,
            a, b, seq[kind]);
    }
  }
  __device__ void put_unit(Kind kind, __half*, int unit, float v) const {
    const uint4 w = gather_unit(v);
    const bool second = (lane_id() & 1) != 0;
    post<2>(kind, unit * 2, second ? w.z : w.x, second ? w.w : w.y);
  }
  __device__ void put_unit(Kind kind, float*, int unit, float v) const {
    const uint4 w = gather_unit_floats(v, lane_id() >> 1 & 1);
    const bool second = (lane_id() & 1) != 0;
    post<4>(kind, unit * 4, second ? w.z : w.x, second ? w.w : w.y);
  }
  __device__ void put_rows(Kind kind, float*, int tile, float lo, float hi) const {
    const uint4 w = gather_rows(lo, hi, lane_id() >> 1 & 3);
    const bool second = (lane_id() & 1) != 0;
    post<8>(kind, tile * 8, second ? w.z : w.x, second ? w.w : w.y);
  }
  // Rows of x as halves, and what they add to the sum of squares.
  __device__ void put_halves(Kind kind, const HalvesOfX& to, int tile, float lo, float hi) const {
    const uint4 first = gather_unit(lo);
    const uint4 second = gather_unit(hi);
    const float a = squares_of_unit(lo);
    const float b = squares_of_unit(hi);
    const bool odd = (lane_id() & 1) != 0;
    const uint4 w = (lane_id() & 2) == 0 ? first : second;
    post<4>(kind, tile * 4, odd ? w.z : w.x, odd ? w.w : w.y);
    // Behind the halves, as in shared memory.
    const auto words_of_halves = static_cast<int>(reinterpret_cast<const uint2*>(to.squares) -
                                                  reinterpret_cast<const uint2*>(to.x));
    post<1>(kind, words_of_halves + tile, __float_as_uint(a), __float_as_uint(b));
  }
  __device__ void wait(Kind kind, void* to, std::uint32_t bytes) {
    const uint4* from = mail + static_cast<std::size_t>(me % kMailCopies) * words + at[kind];
    for (std::uint32_t i = threadIdx.x; i < bytes / 8; i += 32 * kWarps) {
      std::uint32_t a, f, b, g;
      do {
        asm volatile("ld.volatile.global.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(a), "=r"(f), "=r"(b), "=r"(g)
                     : "l"(from + i)
                     : "memory");
      } while (f != seq[kind] || g != seq[kind]);
      reinterpret_cast<uint2*>(to)[i] = make_uint2(a, b);
    }
    ++seq[kind];
    __syncthreads();
  }
};

// A cluster whose CTAs share out x_proj and out_proj by their columns: each multiplies what it has
// made of u and y itself, and gives everyone the parts of all sums (worker_team.cuh).
struct Team : Cluster {
  static constexpr bool kTeam = true;
  // What is to be added to an address here for the same place in this lane's peers lane % 4, + 4,
  // + 8, + 12: a CTA's memory is one piece of the cluster's window (sm_90).
  std::uint32_t peers[4];
  __device__ void set_up() {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      peers[i] = of_rank(bars, base + min(lane_id() % 4 + 4 * i, members - 1)) - bars;
  }
  // By a whole warp: 8 bytes that carry nothing, to each member's `to`, at this one's place.
  __device__ void call(Kind kind, const float* to) const {
    if (lane_id() < members)
      store_async(of_rank(shared_address(to + 2 * me), base + lane_id()), 0.0F, 0.0F,
                  of_rank(bar(kind), base + lane_id()));
  }
  // Rows r and r + 8 of 16 to everyone, one behind the other. members: a multiple of four.
  __device__ void put_two(Kind kind, const float* to, float lo, float hi) const {
    const std::uint32_t there = shared_address(to) + static_cast<unsigned>(lane_id() >> 2) * 8U;
    const std::uint32_t b = bar(kind);
    if (members == 16) {
#pragma unroll
      for (int i = 0; i < 4; ++i) store_async(there + peers[i], lo, hi, b + peers[i]);
    } else {
#pragma unroll
      for (int i = 0; i < 3; ++i)
        if (4 * i < members) store_async(there + peers[i], lo, hi, b + peers[i]);
    }
  }
};

// For models without pools: what is there for tiers inside is not compiled, so that a layer's code
// has more room among instructions.
template <class Base>
struct Flat : Base {
  static constexpr bool kFlat = true, kUsual = true;
};
// K = 4 and, of selective layers, N of at most 16, padded to 16, are known: a team beside narrow
// links, several streams an SM.
template <class Base>
struct Usual : Base {
  static constexpr bool kUsual = true;
};
// Some layers, or all, are time-invariant (s4d). Kernels of their own, so that those of selective
// models carry nothing of it.
template <class Base>
struct Mixed : Base {
  static constexpr bool kMixed = true;
  static_assert(!Base::kFlat);
};
template <class Comm, bool kMixed>
using BlocksOf = std::conditional_t<kMixed, Mixed<Comm>, Comm>;

}  // namespace mambo::cuda
