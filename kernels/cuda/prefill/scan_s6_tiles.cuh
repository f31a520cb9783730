// Tiles of the scan's inputs in shared memory, and how they get there and into registers.
#pragma once

#include "kernels/cuda/prefill/prefill_math.cuh"
#include "kernels/cuda/prefill/scan_s6.h"

namespace mambo::cuda::scan_device {

using namespace prefill_math;

inline constexpr int kChannels = 128;  // of a CTA
inline constexpr int kSteps = 8;       // of a tile
// A term that has decayed by 2^-48 since is left out of a segment's end: half of float32's bits
// below the last one that could show.
inline constexpr float kForgotten = -48.0F;

template <int NP>
struct Shape {
  static constexpr int lane_channels = NP == 16 ? 2 : 1;
  static constexpr int threads = kChannels / lane_channels;
  static constexpr int ctas = NP == 16 ? 8 : (NP == 32 ? 3 : 2);  // resident per SM
};

template <class T, int NP>
struct alignas(16) Tile {
  float delta[kSteps][kChannels];
  T u[kSteps][kChannels];
  T z[kSteps][kChannels];
  float B[kSteps][NP];
  float C[kSteps][NP];
};

template <class T>
struct Kernel {  // S6ScanArgs and how time is cut
  S6ScanArgs<T> a;
  int segment;  // steps, a multiple of kSteps
  float* sums;  // [segments][dp]: delta added up over the segment
};

// cp.async where there is one (sm_80); before, the copy is done when the call returns. By hand,
// since cuda_pipeline.h does not compile under -Wshadow.
__device__ inline void copy_16_bytes(void* to, const void* from) {
#if __CUDA_ARCH__ >= 800
  const auto shared = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
#else
  *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
#endif
}
__device__ inline void close_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int Open>  // waits until at most so many groups of copies are under way
__device__ void await_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Open) : "memory");
#endif
}

// The copying of one array, [steps][Row] in shared memory, tile after tile: each thread has its
// column and every so many rows, and moves one pointer, since addresses are what such a loop spends
// its instructions on.
template <int Threads, int Row, class T>
struct Rows {
  static constexpr int kPiece = 16 / sizeof(T);
  static constexpr int kTurn = Threads * kPiece / Row;  // rows that all threads copy at once
  const T* from;
  int row_length;
  int row;
  bool on;

  // first: of the array, at the tile's first step. Columns from `columns` on are left alone.
  __device__ Rows(const T* first, int length, int columns) : row_length(length) {
    const int thread = static_cast<int>(threadIdx.x);
    row = thread * kPiece / Row;
    const int column = thread * kPiece % Row;
    on = row < kSteps && column < columns;
    from = first + static_cast<std::ptrdiff_t>(row) * length + column;
  }
  template <bool Full>
  __device__ void copy(T* tile, int rows) const {
    if (!on) return;
    T* to = tile + threadIdx.x * kPiece;
#pragma unroll
    for (int r = 0; r < kSteps; r += kTurn) {
      if (Full || row + r < rows)
        copy_16_bytes(to + r * Row, from + static_cast<std::ptrdiff_t>(r) * row_length);
    }
  }
  __device__ void move(int steps) { from += static_cast<std::ptrdiff_t>(steps) * row_length; }
};

// The copying of tiles; without Whole only of what a segment's end needs: no z, no C.
template <class T, int NP, bool Whole>
struct Loader {
  static constexpr int kThreads = Shape<NP>::threads;
  Rows<kThreads, kChannels, float> delta;
  Rows<kThreads, kChannels, T> u, z;
  Rows<kThreads, NP, float> B, C;

  __device__ Loader(const S6ScanArgs<T>& a, int c0, int step)
      : delta(a.delta + static_cast<std::size_t>(step) * a.dp + c0, a.dp, a.dp - c0),
        u(a.u + static_cast<std::size_t>(step) * a.u_row + c0, a.u_row, a.dp - c0),
        z(a.z + static_cast<std::size_t>(step) * a.z_row + c0, a.z_row, a.dp - c0),
        B(a.B + static_cast<std::size_t>(step) * a.bc_row, a.bc_row, NP),
        C(a.C + static_cast<std::size_t>(step) * a.bc_row, a.bc_row, NP) {}
  // Then moves on by `to` steps.
  template <bool Full>
  __device__ void load(Tile<T, NP>& t, int rows, int to) {
    delta.template copy<Full>(&t.delta[0][0], rows);
    u.template copy<Full>(&t.u[0][0], rows);
    B.template copy<Full>(&t.B[0][0], rows);
    delta.move(to);
    u.move(to);
    B.move(to);
    if constexpr (Whole) {
      z.template copy<Full>(&t.z[0][0], rows);
      C.template copy<Full>(&t.C[0][0], rows);
      z.move(to);
      C.move(to);
    }
  }
};

// Channels of a lane, neighbours.
template <int CH, class T>
__device__ void read_channels(const T* p, float (&v)[CH]) {
  if constexpr (CH == 2) {
    const float2 two = load2(p);
    v[0] = two.x;
    v[1] = two.y;
  } else {
    v[0] = load1(p);
  }
}

template <int CH, class T>
__device__ void read_finite_channels(const T* p, float (&v)[CH]) {
  if constexpr (CH == 2) {
    const float2 two = load2_finite(p);
    v[0] = two.x;
    v[1] = two.y;
  } else {
    v[0] = load1_finite(p);
  }
}

template <int CH, class T>
__device__ void write_channels(T* p, const float (&v)[CH]) {
  if constexpr (CH == 2)
    store2(p, {v[0], v[1]});
  else
    store1(p, v[0]);
}

}  // namespace mambo::cuda::scan_device
