// As the selective scan (scan_s6.cuh): the end of each segment of time, the walk over those ends,
// and the scan proper from each segment's start. But nothing here depends on the input, so a
// segment's decay is a power of the modes', and nothing is read but u, z and what stays in
// registers.
//
// One warp is 32 lanes by one segment, eight modes of one channel a lane; no warp has to do with
// another. Every row is asked for kAhead steps before it is needed, into registers: a warp's
// loads are 32 channels wide (of more than eight modes fewer), and there are few enough of them not
// to need shared memory.
//
// By a count of instructions (not measured) a channel-step of eight modes takes 36 for the ends and
// 64 for the scan, 0.17 and 0.30 ms for 128 channels by 2^20 steps on an H100, where memory takes
// 0.19 and 0.57 in float32 and half of that in half storage: about even. With more modes it is the
// FMA units.
#include "kernels/cuda/prefill/scan_s4d.h"

#include <algorithm>
#include <type_traits>

#include "kernels/cuda/prefill/prefill_math.cuh"
#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {
namespace {

using namespace prefill_math;

constexpr int kWarps = 4;      // of a CTA
constexpr int kCtas = 5;       // resident per SM: 96 registers per lane
constexpr int kAhead = 8;      // steps; a multiple of the lanes of a channel
constexpr int kShortest = 32;  // steps of a segment: shorter ones cost more to start than they save
constexpr int kAlone = 96;     // steps that one segment is through with before three launches are

constexpr unsigned kAll = 0xFFFFFFFFU;

template <class T>
struct Kernel {  // S4dScanArgs and how time is cut
  S4dScanArgs<T> a;
  int segment;  // steps, a multiple of kAhead
  int segments;
};

// What a lane works on: kLaneModes modes of channel c from `mode` on, over steps [begin, begin +
// steps). Warps are counted through the channels first: neighbours read the same rows.
template <int L>
struct Lane {
  int c, part, mode, warp_row, lane, segment, begin, steps;

  template <class T>
  __device__ explicit Lane(const Kernel<T>& kernel) {
    const int groups = kernel.a.dp / 32 * L;
    const int thread = static_cast<int>(threadIdx.x);
    const int warp = static_cast<int>(blockIdx.x) * kWarps + thread / 32;
    const int group = warp % groups;
    lane = thread % 32;
    c = (group * 32 + lane) / L;
    part = lane % L;
    mode = part * kLaneModes;
    warp_row = group * kLaneModes;
    segment = warp / groups;
    begin = segment * kernel.segment;
    steps = min(kernel.segment, kernel.a.length - begin);
  }
  // Of the lane's mode i, in an array [dp / 32 * L][kLaneModes][32].
  __device__ std::size_t at(int i) const {
    return static_cast<std::size_t>(warp_row + i) * 32 + lane;
  }
  // Of the lane's mode i in the state, in complex numbers.
  __device__ std::size_t in_state(int i, int hp) const {
    return static_cast<std::size_t>(c) * (hp / 2) + mode + i;
  }
  __device__ std::size_t in_ends(int i, int dp) const {
    return static_cast<std::size_t>(segment) * (L * kLaneModes) * dp + at(i);
  }
};

// a * b + c.
__device__ float2 multiply_add(float2 a, float2 b, float2 c) {
  return {fmaf(a.x, b.x, fmaf(-a.y, b.y, c.x)), fmaf(a.x, b.y, fmaf(a.y, b.x, c.y))};
}

// A column of an array as it goes through registers, kCount rows ahead.
template <class T, int kCount>
struct Column {
  T ahead[kCount];
  const T* next;
  std::ptrdiff_t stride;  // elements

  // Of its rows those with left > apart * i are there.
  __device__ Column(const T* first, int row_stride, int left, int apart)
      : next(first), stride(row_stride) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) ask(i, left > apart * i);
  }
  // i: that of the row, modulo kCount, known when it is compiled. Asks for the row kCount further
  // on, where there is one; else it is zero.
  __device__ T take(int i, bool more) {
    const T now = ahead[i];
    ask(i, more);
    return now;
  }
  __device__ void ask(int i, bool more) {
    ahead[i] = T{};
    if (more) ahead[i] = *next;
    next += stride;
  }
};

// The end state that each segment but the last reaches from zero, [segment] and then as Lane::at.
template <class T, int L>
__global__ void __launch_bounds__(32 * kWarps, kCtas) mode_ends(const Kernel<T> kernel) {
  const S4dScanArgs<T>& a = kernel.a;
  const Lane<L> me(kernel);
  if (me.segment >= kernel.segments - 1) return;  // the whole warp
  Column<T, kAhead> u(a.u + static_cast<std::size_t>(me.begin) * a.u_row + me.c, a.u_row, me.steps,
                      1);
  float2 decay[kLaneModes];
  float2 h[kLaneModes] = {};
#pragma unroll
  for (int i = 0; i < kLaneModes; ++i) decay[i] = load2(a.modes + 4 * me.at(i));
  for (int left = me.steps; left > 0; left -= kAhead) {
#pragma unroll
    for (int s = 0; s < kAhead; ++s) {
      const T now = u.take(s, left > kAhead + s);
      const float2 in{load1(&now), 0.0F};
#pragma unroll
      for (int i = 0; i < kLaneModes; ++i) h[i] = multiply_add(decay[i], h[i], in);
    }
  }
#pragma unroll
  for (int i = 0; i < kLaneModes; ++i) store2(a.ends + 2 * me.in_ends(i, a.dp), h[i]);
}

// base^n by squaring, in double: a float's rounding would be multiplied by n. Rounded towards zero,
// so that what does not grow from step to step does not from segment to segment
// (kernels/mixers/s4d.h).
__device__ float2 power(float2 base, int n) {
  double re = base.x;
  double im = base.y;
  double out_re = 1.0;
  double out_im = 0.0;
  for (; n > 0; n /= 2) {
    if (n % 2 != 0) {
      const double x = out_re * re - out_im * im;
      out_im = out_re * im + out_im * re;
      out_re = x;
    }
    const double x = re * re - im * im;
    im = 2.0 * re * im;
    re = x;
  }
  return {__double2float_rz(out_re), __double2float_rz(out_im)};
}

// From ends to starts, in place, for 32 modes a CTA. Each warp takes a range of the segments: their
// end as if it began at zero, then, from the ends of the ranges before, its start, and the range
// once more. A batch of loads costs one latency of memory, so what counts is how few batches stand
// one after the other.
constexpr int kCarryWarps = 16;

template <class T, int L>
__global__ void __launch_bounds__(32 * kCarryWarps) mode_carry(const Kernel<T> kernel) {
  constexpr int kBatch = 16;
  __shared__ float2 range_end[kCarryWarps][32];
  __shared__ float2 powers[2][32];  // the decay of a segment, of a range
  const S4dScanArgs<T>& a = kernel.a;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const std::size_t row = static_cast<std::size_t>(L) * kLaneModes * a.dp;
  const std::size_t mine = static_cast<std::size_t>(blockIdx.x) * 32 + lane;
  float* end = a.ends + 2 * mine;
  const int range = (kernel.segments + kCarryWarps - 1) / kCarryWarps;
  const int begin = warp * range;
  const int stop = min(begin + range, kernel.segments);
  if (warp < 2)
    powers[warp][lane] =
        power(load2(a.modes + 4 * mine), warp == 0 ? kernel.segment : kernel.segment * range);
  __syncthreads();
  const float2 decay = powers[0][lane];

  // Over the range from h. The last segment has no end yet, and needs none.
  const auto walk = [&](float2 h, bool write) {
    for (int first = begin; first < stop; first += kBatch) {
      float2 e[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int s = first + i;
        const bool has = s < stop && s < kernel.segments - 1;
        e[i] = has ? load2(end + 2 * static_cast<std::size_t>(s) * row) : float2{0.0F, 0.0F};
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        if (first + i >= stop) break;
        if (write) store2(end + 2 * static_cast<std::size_t>(first + i) * row, h);
        h = multiply_add(decay, h, e[i]);
      }
    }
    return h;
  };
  range_end[warp][lane] = walk({0.0F, 0.0F}, false);
  __syncthreads();
  const int group = static_cast<int>(blockIdx.x) / kLaneModes;
  const int c = (group * 32 + lane) / L;
  const int m = lane % L * kLaneModes + static_cast<int>(blockIdx.x) % kLaneModes;
  float2 h{0.0F, 0.0F};
  if (m < a.M) h = load2(a.h + static_cast<std::size_t>(c) * a.hp + 2 * m);
  for (int w = 0; w < warp; ++w) h = multiply_add(powers[1][lane], h, range_end[w][lane]);
  walk(h, true);
}

// The L lanes of a channel have a part each of what L steps give. Lane `part` is left with the
// whole of step `part`; in whichever lane, parts are added up in the same order.
template <int L>
__device__ float add_parts(float (&y)[L], int part) {
#pragma unroll
  for (int half = L / 2; half > 0; half /= 2) {
    const bool upper = (part & half) != 0;
#pragma unroll
    for (int s = 0; s < half; ++s) {
      const float give = upper ? y[s] : y[s + half];
      const float keep = upper ? y[s + half] : y[s];
      y[s] = keep + __shfl_xor_sync(kAll, give, half);
    }
  }
  return y[0];
}

// The scan of one segment from its start (the stream's own state where there is but one segment).
template <class T, int L>
__global__ void __launch_bounds__(32 * kWarps, kCtas) mode_segments(const Kernel<T> kernel) {
  static_assert(kAhead % L == 0);
  constexpr int kGates = L == 1 ? 4 : kAhead / L;  // for want of registers
  const S4dScanArgs<T>& a = kernel.a;
  const Lane<L> me(kernel);
  if (me.segment >= kernel.segments) return;  // the whole warp
  // Of L steps a lane gates and writes one.
  const std::size_t first = static_cast<std::size_t>(me.begin) + me.part;
  Column<T, kAhead> u(a.u + static_cast<std::size_t>(me.begin) * a.u_row + me.c, a.u_row, me.steps,
                      1);
  Column<T, kGates> z(a.z + first * a.z_row + me.c, L * a.z_row, me.steps - me.part, L);
  T* y_out = a.y + first * a.y_row + me.c;
  float2 decay[kLaneModes];
  float2 gain[kLaneModes];
  float2 h[kLaneModes];
#pragma unroll
  for (int i = 0; i < kLaneModes; ++i) {
    const float4 mode = load4(a.modes + 4 * me.at(i));
    decay[i] = {mode.x, mode.y};
    gain[i] = {a.read * mode.z, a.read * mode.w};
    h[i] = {0.0F, 0.0F};
    if (kernel.segments > 1)
      h[i] = load2(a.ends + 2 * me.in_ends(i, a.dp));
    else if (me.mode + i < a.M)
      h[i] = load2(a.h + 2 * me.in_state(i, a.hp));
  }
  const float D = me.part == 0 ? a.D[me.c] : 0.0F;

  // kAhead steps of those left, or all of them, which are fewer.
  int left = me.steps;
  const auto block = [&](auto full) {
    constexpr bool kFull = decltype(full)::value;
#pragma unroll
    for (int s0 = 0; s0 < kAhead; s0 += L) {
      float y[L];
#pragma unroll
      for (int s = 0; s < L; ++s) {
        const T now = u.take(s0 + s, kFull && left > kAhead + s0 + s);
        const float2 in{load1(&now), 0.0F};
        y[s] = D * in.x;
        if (!kFull && left <= s0 + s) continue;
        float odd = 0.0F;
#pragma unroll
        for (int i = 0; i < kLaneModes; ++i) {
          h[i] = multiply_add(decay[i], h[i], in);
          float& sum = i % 2 == 0 ? y[s] : odd;
          sum = fmaf(-gain[i].y, h[i].y, fmaf(gain[i].x, h[i].x, sum));
        }
        y[s] += odd;
      }
      const float sum = add_parts<L>(y, me.part);
      const T gate = z.take(s0 / L % kGates, left - me.part > s0 + L * kGates);
      if (kFull || left - me.part > s0) store1(y_out, sum * silu(load1_finite(&gate)));
      y_out += static_cast<std::ptrdiff_t>(L) * a.y_row;
    }
  };
  for (; left >= kAhead; left -= kAhead) block(std::true_type());
  if (left > 0) block(std::false_type());

  if (me.segment != kernel.segments - 1) return;
#pragma unroll
  for (int i = 0; i < kLaneModes; ++i)
    if (me.mode + i < a.M) store2(a.h + 2 * me.in_state(i, a.hp), h[i]);
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

int warps_a_segment(int dp, int L) { return dp / 32 * L; }

// As many segments as give every SM all the warps that it holds at once, and no second wave.
int most_segments(int dp, int L, int sms) {
  return std::max(1, sms * kCtas * kWarps / warps_a_segment(dp, L));
}

template <class T, int L>
void launch(const S4dScanArgs<T>& args, cudaStream_t stream) {
  const int most = most_segments(args.dp, L, args.sms);
  int steps = std::max(kShortest, ceil_div(args.length, most));
  if (args.length <= kAlone) steps = args.length;
  Kernel<T> k{args, ceil_div(steps, kAhead) * kAhead, 1};
  k.segments = ceil_div(args.length, k.segment);
  const int warps = warps_a_segment(args.dp, L);
  const auto ctas = [&](int segments) {
    return static_cast<unsigned>(ceil_div(warps * segments, kWarps));
  };
  if (k.segments > 1) {
    mode_ends<T, L><<<ctas(k.segments - 1), 32 * kWarps, 0, stream>>>(k);
    MAMBO_CUDA(cudaGetLastError());
    const auto chains = static_cast<unsigned>(warps * kLaneModes);
    mode_carry<T, L><<<chains, 32 * kCarryWarps, 0, stream>>>(k);
    MAMBO_CUDA(cudaGetLastError());
  }
  mode_segments<T, L><<<ctas(k.segments), 32 * kWarps, 0, stream>>>(k);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace

std::size_t s4d_scan_scratch(int dp, int M, int sms) {
  const int L = mode_lanes(M);
  const int segments = most_segments(dp, L, sms);
  if (segments == 1) return 0;
  return std::size_t{2} * kLaneModes * static_cast<std::size_t>(L) *
         static_cast<std::size_t>(segments) * static_cast<std::size_t>(dp);
}

template <class T>
void scan(S4dScanArgs<T> args, cudaStream_t stream) {
  if (args.length <= 0) return;
  switch (mode_lanes(args.M)) {
    case 1:
      return launch<T, 1>(args, stream);
    case 2:
      return launch<T, 2>(args, stream);
    case 4:
      return launch<T, 4>(args, stream);
    default:
      return launch<T, 8>(args, stream);
  }
}

template void scan<float>(S4dScanArgs<float>, cudaStream_t);
template void scan<__half>(S4dScanArgs<__half>, cudaStream_t);

}  // namespace mambo::cuda
