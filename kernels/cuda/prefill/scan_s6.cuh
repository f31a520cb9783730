// The device code of the scan (scan_s6.h): the end of each segment of time, the walk over those
// ends, and the scan proper from each segment's start.
//
// A lane holds two channels of 16 states (or one of more) in registers; a CTA is 128 channels by
// one segment. Inputs come through shared memory by cp.async, a tile of steps ahead. Two channels a
// lane because B and C are read from shared memory by all lanes alike: a 128-bit broadcast still
// occupies the return path for four clocks, and with one channel a lane that path would bound the
// kernel.
//
// Floors on one H100 a channel-step at 16 states: memory 16 bytes (float32; 10 in half storage) for
// the scan and 8 (6) for the ends at 2.83 TB/s; MUFU 16 exponentials, and two for the gate, at 4.12
// T/s. Both are near 0.5-0.75 ms for 128 channels by 2^20 steps, so one of sixteen exponentials
// (two for the ends) goes through the FMA units instead, which evens the pipes out: measured, 2 %
// faster than none and than twice as many.
#pragma once

#include "kernels/cuda/prefill/scan_s6_tiles.cuh"

namespace mambo::cuda::scan_device {

template <int CH, int NP>
__device__ void read_A(const float* A, int dp, int c, bool mine, float (&out)[CH][NP]) {
#pragma unroll
  for (int n = 0; n < NP; ++n) {
#pragma unroll
    for (int k = 0; k < CH; ++k)
      out[k][n] = mine ? A[static_cast<std::size_t>(n) * dp + c + k] : kScanPaddedA;
  }
}

// The steps of a tile, last first, onto the first `Live` states: h += exp2(A * g) * B * delta * u,
// where g is delta added up over all later steps of the segment.
template <int Live, class T, int NP, int CH>
__device__ void gather_tile(const Tile<T, NP>& t, const float (&A)[CH][NP], float (&h)[CH][NP],
                            float (&g)[CH]) {
  constexpr int kByFma = Live / 8;
  const int at = static_cast<int>(threadIdx.x) * CH;
#pragma unroll 2
  for (int r = kSteps - 1; r >= 0; --r) {
    float delta[CH];
    float x[CH];
    read_channels<CH>(&t.delta[r][at], delta);
    read_channels<CH>(&t.u[r][at], x);
#pragma unroll
    for (int k = 0; k < CH; ++k) x[k] *= delta[k];
#pragma unroll
    for (int n = 0; n < Live; n += 4) {
      const float4 B4 = *reinterpret_cast<const float4*>(&t.B[r][n]);
      const float B[4] = {B4.x, B4.y, B4.z, B4.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int k = 0; k < CH; ++k) {
          const float e = A[k][n + i] * g[k];
          const float decay = n + i < kByFma ? exp2_fma(e) : exp2_mufu(e);
          h[k][n + i] = fmaf(decay, B[i] * x[k], h[k][n + i]);
        }
      }
    }
#pragma unroll
    for (int k = 0; k < CH; ++k) g[k] += delta[k];
  }
}

// The end state that each segment but the last reaches from zero, [segment][NP][dp]. It goes
// backward in time, because then a state is finished as soon as its decay has reached nothing: with
// the spectrum of a fresh layer (A = -1 ... -N) most states are after a fraction of the segment,
// and the CTA stops reading when all are. Where nothing is forgotten, it costs the whole segment.
template <class T, int NP>
__global__ void __launch_bounds__(Shape<NP>::threads, Shape<NP>::ctas)
    scan_ends(const Kernel<T> kernel) {
  constexpr int CH = Shape<NP>::lane_channels;
  constexpr int kQuarter = NP / 4;
  __shared__ Tile<T, NP> tiles[2];
  const S6ScanArgs<T>& a = kernel.a;
  const int c0 = static_cast<int>(blockIdx.x) * kChannels;
  const int c = c0 + static_cast<int>(threadIdx.x) * CH;
  const bool mine = c < a.dp;
  const int segment = static_cast<int>(blockIdx.y);
  const int begin = segment * kernel.segment;

  int tile = kernel.segment / kSteps - 1;
  Loader<T, NP, false> loader(a, c0, begin + tile * kSteps);
  loader.template load<true>(tiles[tile & 1], kSteps, -kSteps);
  close_copies();

  float A[CH][NP];
  read_A<CH, NP>(a.A, a.dp, c, mine, A);
  float slowest[4];  // the A nearest to zero in each quarter of the states
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    slowest[q] = A[0][q * kQuarter];
#pragma unroll
    for (int i = 0; i < kQuarter * CH; ++i)
      slowest[q] = fmaxf(slowest[q], A[i / kQuarter][q * kQuarter + i % kQuarter]);
  }
  float h[CH][NP] = {};
  float g[CH] = {};

  for (; tile >= 0; --tile) {
    if (tile > 0) loader.template load<true>(tiles[(tile - 1) & 1], kSteps, -kSteps);
    close_copies();
    await_copies<1>();
    __syncthreads();
    int live = 0;  // quarters that any lane of the warp still needs, the slow ones being first
    const float least = CH == 2 ? fminf(g[0], g[CH - 1]) : g[0];
#pragma unroll
    for (int q = 0; q < 4; ++q) {  // by all lanes: a warp may be half beyond the last channel
      if (__any_sync(0xFFFFFFFFU, mine && slowest[q] * least > kForgotten)) live = q + 1;
    }
    const Tile<T, NP>& t = tiles[tile & 1];
    switch (live) {
      case 4:
        gather_tile<4 * kQuarter>(t, A, h, g);
        break;
      case 3:
        gather_tile<3 * kQuarter>(t, A, h, g);
        break;
      case 2:
        gather_tile<2 * kQuarter>(t, A, h, g);
        break;
      case 1:
        gather_tile<kQuarter>(t, A, h, g);
        break;
      default:
        break;
    }
    if (__syncthreads_or(live) == 0) break;
  }
  await_copies<0>();
  if (!mine) return;
  write_channels<CH>(kernel.sums + static_cast<std::size_t>(segment) * a.dp + c, g);
  float* ends = a.ends + static_cast<std::size_t>(segment) * NP * a.dp + c;
#pragma unroll
  for (int n = 0; n < NP; ++n) {
    float out[CH];
#pragma unroll
    for (int k = 0; k < CH; ++k) out[k] = h[k][n];
    write_channels<CH>(ends + static_cast<std::size_t>(n) * a.dp, out);
  }
}

// From ends to starts, in place, for 32 channels and one state a CTA. Each warp takes a range of
// the segments: their end as if it began at zero, then, from the ends of the ranges before, its
// start, and the range once more. A batch of loads costs one latency of memory, so what counts is
// how few batches stand one after the other.
inline constexpr int kCarryWarps = 16;

template <class T>
__global__ void __launch_bounds__(32 * kCarryWarps)
    scan_carry(const Kernel<T> kernel, int segments) {
  constexpr int kBatch = 16;
  __shared__ float range_end[kCarryWarps][32];
  __shared__ float range_sum[kCarryWarps][32];
  const S6ScanArgs<T>& a = kernel.a;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int c = static_cast<int>(blockIdx.x) * 32 + lane;
  const int n = static_cast<int>(blockIdx.y);
  const float A = a.A[static_cast<std::size_t>(n) * a.dp + c];
  const std::size_t row = static_cast<std::size_t>(a.states) * a.dp;
  float* end = a.ends + static_cast<std::size_t>(n) * a.dp + c;
  const float* sum = kernel.sums + c;
  const int range = (segments + kCarryWarps - 1) / kCarryWarps;
  const int begin = warp * range;
  const int stop = min(begin + range, segments);

  // Over the range from h; returns delta added up. The last segment has no end yet, and needs none.
  const auto walk = [&](float h, bool write, float& out) {
    float total = 0;
    for (int first = begin; first < stop; first += kBatch) {
      float e[kBatch];
      float g[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int s = first + i;
        const bool has = s < stop && s < segments - 1;
        e[i] = has ? end[static_cast<std::size_t>(s) * row] : 0.0F;
        g[i] = has ? sum[static_cast<std::size_t>(s) * a.dp] : 0.0F;
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        if (write && first + i < stop) end[static_cast<std::size_t>(first + i) * row] = h;
        h = fmaf(exp2_mufu(A * g[i]), h, e[i]);
        total += g[i];
      }
    }
    out = h;
    return total;
  };
  float range_h = 0;
  range_sum[warp][lane] = walk(0.0F, false, range_h);
  range_end[warp][lane] = range_h;
  __syncthreads();
  float h = n < a.np ? a.h[static_cast<std::size_t>(c) * a.np + n] : 0.0F;
  for (int w = 0; w < warp; ++w) h = fmaf(exp2_mufu(A * range_sum[w][lane]), h, range_end[w][lane]);
  walk(h, true, range_h);
}

// The scan of one segment from its start (the stream's own state where there is but one segment).
template <class T, int NP>
__global__ void __launch_bounds__(Shape<NP>::threads, Shape<NP>::ctas)
    scan_segments(const Kernel<T> kernel) {
  constexpr int CH = Shape<NP>::lane_channels;
  constexpr int kByFma = NP / 16;
  __shared__ Tile<T, NP> tiles[2];
  const S6ScanArgs<T>& a = kernel.a;
  const int c0 = static_cast<int>(blockIdx.x) * kChannels;
  const int at = static_cast<int>(threadIdx.x) * CH;
  const int c = c0 + at;
  const bool mine = c < a.dp;
  const int segment = static_cast<int>(blockIdx.y);
  const int begin = segment * kernel.segment;
  const int steps = min(kernel.segment, a.length - begin);
  Loader<T, NP, true> loader(a, c0, begin);
  loader.template load<false>(tiles[0], min(kSteps, steps), kSteps);
  close_copies();

  float A[CH][NP];
  read_A<CH, NP>(a.A, a.dp, c, mine, A);
  float D[CH] = {};
  float h[CH][NP] = {};
  if (mine) {
    read_channels<CH>(a.D + c, D);
#pragma unroll
    for (int n = 0; n < NP; ++n) {
      if (gridDim.y > 1) {
        float in[CH];
        read_channels<CH>(a.ends + (static_cast<std::size_t>(segment) * NP + n) * a.dp + c, in);
#pragma unroll
        for (int k = 0; k < CH; ++k) h[k][n] = in[k];
      } else {
#pragma unroll
        for (int k = 0; k < CH; ++k)
          if (n < a.np) h[k][n] = a.h[static_cast<std::size_t>(c + k) * a.np + n];
      }
    }
  }

  for (int done = 0; done < steps; done += kSteps) {
    const int buffer = done / kSteps & 1;
    const int rows = min(kSteps, steps - done);
    const int next = done + kSteps;
    if (next + kSteps <= steps)
      loader.template load<true>(tiles[buffer ^ 1], kSteps, kSteps);
    else if (next < steps)
      loader.template load<false>(tiles[buffer ^ 1], steps - next, kSteps);
    close_copies();
    await_copies<1>();
    __syncthreads();
    if (mine) {
      const Tile<T, NP>& t = tiles[buffer];
      T* y_out = a.y + static_cast<std::size_t>(begin + done) * a.y_row + c;
#pragma unroll 2
      for (int r = 0; r < rows; ++r) {
        float delta[CH];
        float u[CH];
        float z[CH];
        float y[CH];
        read_channels<CH>(&t.delta[r][at], delta);
        read_channels<CH>(&t.u[r][at], u);
        read_finite_channels<CH>(&t.z[r][at], z);
#pragma unroll
        for (int k = 0; k < CH; ++k) {
          y[k] = D[k] * u[k];
          u[k] *= delta[k];
        }
#pragma unroll
        for (int n = 0; n < NP; n += 4) {
          const float4 B4 = *reinterpret_cast<const float4*>(&t.B[r][n]);
          const float4 C4 = *reinterpret_cast<const float4*>(&t.C[r][n]);
          const float B[4] = {B4.x, B4.y, B4.z, B4.w};
          const float C[4] = {C4.x, C4.y, C4.z, C4.w};
#pragma unroll
          for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int k = 0; k < CH; ++k) {
              const float e = A[k][n + i] * delta[k];
              const float decay = n + i < kByFma ? exp2_fma(e) : exp2_mufu(e);
              h[k][n + i] = fmaf(decay, h[k][n + i], B[i] * u[k]);
              y[k] = fmaf(C[i], h[k][n + i], y[k]);
            }
          }
        }
#pragma unroll
        for (int k = 0; k < CH; ++k) y[k] *= silu(z[k]);
        write_channels<CH>(y_out + static_cast<std::size_t>(r) * a.y_row, y);
      }
    }
    __syncthreads();
  }
  await_copies<0>();

  if (!mine || begin + steps != a.length) return;
#pragma unroll
  for (int k = 0; k < CH; ++k) {
#pragma unroll
    for (int n = 0; n < NP; ++n)
      if (n < a.np) a.h[static_cast<std::size_t>(c + k) * a.np + n] = h[k][n];
  }
}

}  // namespace mambo::cuda::scan_device
