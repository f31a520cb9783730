// The exchange of CTAs anywhere on the device that run at the same time: 16-byte words in global
// memory of 8 bytes of data and twice a number that distinguishes uses of a message;
// readers poll the words themselves, so data and signal travel together (NCCL's LL protocol).
#pragma once

#include "kernels/cuda/step/exchange.cuh"
#include "kernels/cuda/step/tile.cuh"

namespace mambo::cuda {

struct GridExchange {
  static constexpr bool kShared = true;
  static constexpr bool kSplitsTiles = true;
  static constexpr int kAhead = 8;
  int members, me;
  // LL words are replicated kReplicas times so that polling is spread over as many cache lines; one
  // line polled by 100+ CTAs delays the writer.
  uint4* words;  // global memory: [kReplicas][words_per_replica]
  std::uint32_t words_per_replica;
  std::uint32_t at[kMessages];   // where each message's words begin
  std::uint32_t seq[kMessages];  // distinguishes uses of a message

  __device__ static void write(uint4* to, std::uint32_t a, std::uint32_t b, std::uint32_t seq) {
    asm volatile("st.volatile.global.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(to), "r"(a), "r"(seq),
                 "r"(b), "r"(seq)
                 : "memory");
  }
  // kWords words from `first` on: word i of replica c is lane c * kWords + i, and so on.
  template <int kWords>
  __device__ void post(Message message, int first, std::uint32_t a, std::uint32_t b) const {
#pragma unroll
    for (int i = 0; i < kReplicas * kWords; i += 32) {
      const int replica = (i + lane_id()) / kWords;
      if (replica >= kReplicas) break;
      write(words + static_cast<std::size_t>(replica) * words_per_replica + at[message] + first +
                lane_id() % kWords,
            a, b, seq[message]);
    }
  }
  __device__ void put_tile(Message message, __half*, int tile, float v) const {
    const uint4 w = gather_halves(v);
    const bool second = (lane_id() & 1) != 0;
    post<2>(message, tile * 2, second ? w.z : w.x, second ? w.w : w.y);
  }
  __device__ void put_rows(Message message, float*, int tile, float lo, float hi) const {
    const uint4 w = gather_rows(lo, hi, lane_id() >> 1 & 3);
    const bool second = (lane_id() & 1) != 0;
    post<8>(message, tile * 8, second ? w.z : w.x, second ? w.w : w.y);
  }
  // Rows of x as halves, and their share of the sum of squares.
  __device__ void put_halves(Message message, const HalvesOfX& to, int tile, float lo,
                             float hi) const {
    const uint4 first = gather_halves(lo);
    const uint4 second = gather_halves(hi);
    const float a = squares8<4>(lo);
    const float b = squares8<4>(hi);
    const bool odd = (lane_id() & 1) != 0;
    const uint4 w = (lane_id() & 2) == 0 ? first : second;
    post<4>(message, tile * 4, odd ? w.z : w.x, odd ? w.w : w.y);
    // Behind the halves, as in shared memory.
    const auto words_of_halves = static_cast<int>(reinterpret_cast<const uint2*>(to.squares) -
                                                  reinterpret_cast<const uint2*>(to.x));
    post<1>(message, words_of_halves + tile, __float_as_uint(a), __float_as_uint(b));
  }
  __device__ void wait(Message message, void* to, std::uint32_t bytes) {
    const uint4* from =
        words + static_cast<std::size_t>(me % kReplicas) * words_per_replica + at[message];
    for (std::uint32_t i = threadIdx.x; i < bytes / 8; i += kThreads) {
      std::uint32_t a, f, b, g;
      do {
        asm volatile("ld.volatile.global.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(a), "=r"(f), "=r"(b), "=r"(g)
                     : "l"(from + i)
                     : "memory");
      } while (f != seq[message] || g != seq[message]);
      reinterpret_cast<uint2*>(to)[i] = make_uint2(a, b);
    }
    ++seq[message];
    __syncthreads();
  }
};

}  // namespace mambo::cuda
