// The exchange of a cluster's CTAs (sm_90): st.async stores into each other's shared memory, which
// count their bytes at the receiver's mbarrier, so that data and signal travel together.
#pragma once

#include "kernels/cuda/step/exchange.cuh"

namespace mambo::cuda {

// ---- mbarriers and remote stores. Elsewhere nothing calls them (cluster_kernel.cuh), so that no
// code is made of them.
__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

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
// The complete-tx of another CTA's st.async releases in the cluster's scope, so the wait must
// acquire in that scope; by default it acquires in the CTA's. Only shared memory travels: a fence
// restricted to it costs nothing, where an acquiring wait invalidates the L1 and with it weights
// that are being prefetched. PTX 8.6.
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

struct ClusterExchange {
  static constexpr bool kShared = true;
  // A CTA has several channel tiles per layer, too many for four warps each; two each gain nothing
  // (docs/lab/performance.md). So the code for it is left out.
  static constexpr bool kSplitsTiles = false;
  static constexpr int kAhead = 8;
  int members, me;  // ranks base .. base + members - 1 of the cluster share the work
  int base;
  std::uint32_t bars;        // shared address of an mbarrier per message
  std::uint32_t phases = 0;  // a bit per message: the parity that completes next
  // For put_partials: what to add to an address here for the same place in this lane's peers
  // lane % 4, + 4, + 8, + 12. A CTA's memory is one piece of the cluster's window (sm_90).
  std::uint32_t peers[4];

  __device__ std::uint32_t bar(Message message) const {
    return bars + 8U * static_cast<unsigned>(message);
  }

  // ---- All-gather
  __device__ void put_tile(Message message, __half* to, int tile, float v) const {
    const uint4 w = gather_halves(v);
    const std::uint32_t here = shared_address(to + tile * 8);
    if (lane_id() < members)
      store_async(of_rank(here, base + lane_id()), w, of_rank(bar(message), base + lane_id()));
  }
  __device__ void put_rows(Message message, float* to, int tile, float lo, float hi) const {
    const int chunk = lane_id() & 3;
    const uint4 w = gather_rows(lo, hi, chunk);
    const std::uint32_t here = shared_address(to + tile * 16 + chunk * 4);
    for (int peer = lane_id() >> 2; peer < members; peer += 8)
      store_async(of_rank(here, base + peer), w, of_rank(bar(message), base + peer));
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

  // ---- All-reduce
  __device__ void find_peers() {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      peers[i] = of_rank(bars, base + min(lane_id() % 4 + 4 * i, members - 1)) - bars;
  }
  // An empty arrive, by a whole warp: 8 bytes that carry nothing, to each member's `to`, at this
  // one's place.
  __device__ void signal_all(Message message, const float* to) const {
    if (lane_id() < members)
      store_async(of_rank(shared_address(to + 2 * me), base + lane_id()), 0.0F, 0.0F,
                  of_rank(bar(message), base + lane_id()));
  }
  // Partial sums of rows r and r + 8 of 16 to every member, side by side; two floats per store, so
  // that nothing is gathered by shuffles. members: a multiple of four.
  __device__ void put_partials(Message message, const float* to, float lo, float hi) const {
    const std::uint32_t there = shared_address(to) + static_cast<unsigned>(lane_id() >> 2) * 8U;
    const std::uint32_t b = bar(message);
    if (members == 16) {
#pragma unroll
      for (int i = 0; i < 4; ++i) store_async(there + peers[i], lo, hi, b + peers[i]);
    } else {
#pragma unroll
      for (int i = 0; i < 3; ++i)
        if (4 * i < members) store_async(there + peers[i], lo, hi, b + peers[i]);
    }
  }

  __device__ void wait(Message message, void*, std::uint32_t bytes) {
    if (threadIdx.x == 0) bar_expect(bar(message), bytes);
    bar_wait(bar(message), (phases >> message) & 1U);
    phases ^= 1U << message;
  }
};

}  // namespace mambo::cuda
