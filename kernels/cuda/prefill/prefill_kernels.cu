#include "kernels/cuda/prefill/prefill_kernels.h"

#include <algorithm>

#include "kernels/cuda/prefill/prefill_math.cuh"
#include "kernels/cuda/runtime/check.h"
#include "kernels/cuda/runtime/summary.cuh"

namespace mambo::cuda {
namespace {

using namespace prefill_math;

constexpr int kThreads = 256;

// Blocks for n threads' worth of work; kernels step on by the grid where that is capped.
unsigned blocks(std::size_t n) {
  return static_cast<unsigned>(std::min<std::size_t>((n + kThreads - 1) / kThreads, 1U << 20U));
}

__device__ std::size_t thread_index() {
  return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ std::size_t grid_threads() { return static_cast<std::size_t>(gridDim.x) * blockDim.x; }

// ---- embedding ------------------------------------------------------------------------------

__global__ void embed_kernel(const std::uint8_t* codes, std::size_t quads, const float* embed,
                             int vocab, int wp, float* x) {
  const int row_quads = wp / 4;
  for (std::size_t i = thread_index(); i < quads; i += grid_threads()) {
    const std::size_t row = i / row_quads;
    const auto q = static_cast<std::size_t>(i % row_quads);
    const int code = min(static_cast<int>(codes[row]), vocab - 1);
    store4(x + i * 4, load4(embed + static_cast<std::size_t>(code) * wp + q * 4));
  }
}

// ---- norm -----------------------------------------------------------------------------------

// `lanes` (8, 16 or 32) lanes a row, four elements each and turn; the second reading is of the
// cache.
template <class T>
__global__ void rmsnorm_kernel(const float* x, const float* weight, int width, int wp, float eps,
                               int rows, int lanes, T* out) {
  const std::size_t row = thread_index() / lanes;
  const int lane = static_cast<int>(threadIdx.x) & (lanes - 1);
  const bool has = row < static_cast<std::size_t>(rows);
  const float* in = x + row * wp;
  float sum = 0;
  for (int i = lane * 4; has && i < wp; i += lanes * 4) {
    const float4 v = load4(in + i);
    sum = fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, fmaf(v.w, v.w, sum))));
  }
  for (int d = lanes / 2; d > 0; d /= 2) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, d);
  if (!has) return;
  const float scale = rsqrtf(sum / static_cast<float>(width) + eps);
  for (int i = lane * 4; i < wp; i += lanes * 4) {
    const float4 v = load4(in + i);
    const float4 w = load4(weight + i);
    store4(out + row * wp + i,
           {v.x * scale * w.x, v.y * scale * w.y, v.z * scale * w.z, v.w * scale * w.w});
  }
}

// ---- convolution ----------------------------------------------------------------------------

// Rows of a thread, which carries the window of four channels along: fewer where there are few, so
// that the device is filled.
int conv_rows(const ConvArgs& a) {
  return static_cast<std::size_t>(a.rows) * static_cast<std::size_t>(a.dp) < (1U << 22U) ? 4 : 16;
}

template <class T>
__device__ float4 conv_input(const ConvArgs& a, const T* in, int row, int c) {
  if (row >= 0) return load4_finite(in + static_cast<std::size_t>(row) * a.in_row + c);
  const auto K = static_cast<std::uint64_t>(a.K);  // added to stay positive
  const auto slot = static_cast<std::size_t>((a.first + K - static_cast<unsigned>(-row)) % K);
  return load4(a.ring + slot * a.dp + c);
}

__device__ void accumulate(float4& sum, float4 w, float4 x) {
  sum.x = fmaf(w.x, x.x, sum.x);
  sum.y = fmaf(w.y, x.y, sum.y);
  sum.z = fmaf(w.z, x.z, sum.z);
  sum.w = fmaf(w.w, x.w, sum.w);
}

// K known and small: weights and window in registers, every input read once. Otherwise (Window 0)
// from the cache again for each of the K terms.
template <class T, int Window>
__global__ void conv_kernel(const ConvArgs a, int tile_rows, const T* in, T* u) {
  const int quads = a.dp / 4;
  const auto id = thread_index();
  const int c = static_cast<int>(id % quads) * 4;
  const std::size_t tile = id / quads;
  const std::size_t begin = tile * tile_rows;
  if (begin >= static_cast<std::size_t>(a.rows)) return;
  const int first = static_cast<int>(begin);
  const int end = min(a.rows, first + tile_rows);
  const float4 bias = load4(a.bias + c);
  constexpr int kHeld = Window > 0 ? Window : 1;
  float4 w[kHeld];
  float4 x[kHeld];
  if constexpr (Window > 0) {
#pragma unroll
    for (int k = 0; k < Window; ++k)
      w[k] = load4(a.weight + static_cast<std::size_t>(k) * a.dp + c);
#pragma unroll
    for (int k = 0; k + 1 < Window; ++k) x[k + 1] = conv_input(a, in, first - Window + 1 + k, c);
  }
#pragma unroll 4
  for (int r = first; r < end; ++r) {
    float4 sum = bias;
    if constexpr (Window > 0) {
#pragma unroll
      for (int k = 0; k + 1 < Window; ++k) x[k] = x[k + 1];
      x[kHeld - 1] = load4_finite(in + static_cast<std::size_t>(r) * a.in_row + c);
#pragma unroll
      for (int k = 0; k < Window; ++k) accumulate(sum, w[k], x[k]);
    } else {
      for (int k = 0; k < a.K; ++k)
        accumulate(sum, load4(a.weight + static_cast<std::size_t>(k) * a.dp + c),
                   conv_input(a, in, r - a.K + 1 + k, c));
    }
    store4(u + static_cast<std::size_t>(r) * a.dp + c,
           {silu(sum.x), silu(sum.y), silu(sum.z), silu(sum.w)});
  }
}

template <class T>
__global__ void keep_conv_kernel(const ConvArgs a, const T* in) {
  const int quads = a.dp / 4;
  const int id = static_cast<int>(thread_index());
  const int row = a.rows - 1 - id / quads;
  if (id / quads >= a.K || row < 0) return;
  const int c = id % quads * 4;
  const auto slot = static_cast<std::size_t>((a.first + static_cast<unsigned>(row)) %
                                             static_cast<std::uint64_t>(a.K));
  store4(a.ring + slot * a.dp + c, load4_finite(in + static_cast<std::size_t>(row) * a.in_row + c));
}

// ---- delta ----------------------------------------------------------------------------------

constexpr int kDeltaRows = 16;      // of a thread, for two channels
constexpr int kDeltaTileRows = 32;  // of a block of 128 threads: two times 16
constexpr int kDeltaChannels = 128;
constexpr int kDeltaDepth = 32;  // of the rank at a time

__global__ void __launch_bounds__(128)
    delta_kernel(const float* dt, int dt_row, int rows, const float* weight, const float* bias,
                 int R, int dp, float* delta) {
  __shared__ __align__(16) float tile[kDeltaDepth][kDeltaTileRows];
  const int thread = static_cast<int>(threadIdx.x);
  const int c = static_cast<int>(blockIdx.y) * kDeltaChannels + thread % 64 * 2;
  const int row0 = static_cast<int>(blockIdx.x) * kDeltaTileRows;
  const int mine = thread / 64 * kDeltaRows;
  float2 sum[kDeltaRows];
  const float2 start = c < dp ? load2(bias + c) : float2{0, 0};
#pragma unroll
  for (int r = 0; r < kDeltaRows; ++r) sum[r] = start;
  for (int k0 = 0; k0 < R; k0 += kDeltaDepth) {
    const int depth = min(kDeltaDepth, R - k0);
    __syncthreads();
    for (int i = thread; i < depth * kDeltaTileRows; i += 128) {
      const int row = row0 + i / depth;
      tile[i % depth][i / depth] =
          row < rows ? dt[static_cast<std::size_t>(row) * dt_row + k0 + i % depth] : 0.0F;
    }
    __syncthreads();
    if (c >= dp) continue;
    for (int k = 0; k < depth; ++k) {
      const float2 w = load2(weight + static_cast<std::size_t>(k0 + k) * dp + c);
#pragma unroll
      for (int r = 0; r < kDeltaRows; r += 4) {
        const float4 v = *reinterpret_cast<const float4*>(&tile[k][mine + r]);
        const float x[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          sum[r + i].x = fmaf(w.x, x[i], sum[r + i].x);
          sum[r + i].y = fmaf(w.y, x[i], sum[r + i].y);
        }
      }
    }
  }
  if (c >= dp) return;
#pragma unroll
  for (int r = 0; r < kDeltaRows; ++r) {
    const int row = row0 + mine + r;
    if (row < rows)
      store2(delta + static_cast<std::size_t>(row) * dp + c,
             {softplus(sum[r].x), softplus(sum[r].y)});
  }
}

// ---- rows -----------------------------------------------------------------------------------

template <class T>
__global__ void fill_kernel(const float* bias, int quads, std::size_t n, T* out) {
  for (std::size_t i = thread_index(); i < n; i += grid_threads())
    store4(out + i * 4, load4(bias + i % quads * 4));
}

// x += y, where y begins anew after y_quads quads (one row, or everything).
__global__ void add_kernel(const float* y, std::size_t y_quads, std::size_t n, float* x) {
  for (std::size_t i = thread_index(); i < n; i += grid_threads()) {
    const float4 a = load4(x + i * 4);
    const float4 b = load4(y + i % y_quads * 4);
    store4(x + i * 4, {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w});
  }
}

__global__ void convert_kernel(const float* from, std::size_t n, __half* to) {
  for (std::size_t i = thread_index(); i < n; i += grid_threads())
    store4(to + i * 4, load4(from + i * 4));
}

__global__ void gain_kernel(float* rows, int row, int quads, std::size_t n, float gain,
                            const float* offset) {
  for (std::size_t i = thread_index(); i < n; i += grid_threads()) {
    const auto c = i % quads * 4;
    float* at = rows + i / quads * row + c;
    const float4 x = load4(at);
    const float4 o = load4(offset + c);
    store4(at, {fmaf(gain, x.x, o.x), fmaf(gain, x.y, o.y), fmaf(gain, x.z, o.z),
                fmaf(gain, x.w, o.w)});
  }
}

// Batches of rows are asked for one batch ahead of their sum.
constexpr int kSumColumns = 32;  // of a CTA: one warp
constexpr int kSumRows = 16;     // of a batch

__global__ void __launch_bounds__(kSumColumns)
    sum_kernel(const float* rows, int row, int columns, int n, double* sums) {
  const int c = static_cast<int>(blockIdx.x) * kSumColumns + static_cast<int>(threadIdx.x);
  if (c >= columns) return;
  const float* from = rows + c;
  float next[kSumRows];
  const auto ask = [&](int first) {
#pragma unroll
    for (int i = 0; i < kSumRows; ++i)
      next[i] = first + i < n ? from[static_cast<std::size_t>(first + i) * row] : 0.0F;
  };
  double sum = sums[c];
  ask(0);
  for (int first = 0; first < n; first += kSumRows) {
    float now[kSumRows];
#pragma unroll
    for (int i = 0; i < kSumRows; ++i) now[i] = next[i];
    ask(first + kSumRows);
#pragma unroll
    for (int i = 0; i < kSumRows; ++i) sum += static_cast<double>(now[i]);  // zeros behind the end
  }
  sums[c] = sum;
}

// ---- summaries ------------------------------------------------------------------------------

constexpr int kSummaryThreads = 128;
static_assert(sizeof(LayerSummary) == 16);

// One block of threads for a block of samples; sums in a fixed order.
__global__ void __launch_bounds__(kSummaryThreads)
    summary_kernel(const float* delta, int dp, int d_inner, std::uint64_t first, int rows,
                   SummaryBlocks blocks, std::uint64_t first_block, LayerSummary* out) {
  const std::uint64_t block = first_block + blockIdx.x;
  // The block's steps (SummaryBlocks::begin) that this stretch has, as rows.
  const std::uint64_t from = block * blocks.samples / blocks.stride;
  const std::uint64_t to = (block + 1) * blocks.samples / blocks.stride;
  const std::uint64_t stop = first + static_cast<std::uint64_t>(rows);
  const int begin = from > first ? static_cast<int>((from < stop ? from : stop) - first) : 0;
  const int end = to > first ? static_cast<int>((to < stop ? to : stop) - first) : 0;
  const int n = (end - begin) * d_inner;
  Seen seen;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kSummaryThreads)
    seen.add(delta[static_cast<std::size_t>(begin + i / d_inner) * dp + i % d_inner]);
  write_summary<kSummaryThreads>(seen, n, end - begin, out + blockIdx.x);
}

__global__ void pack_kernel(const float* from, int from_row, int columns, std::size_t n,
                            float* to) {
  for (std::size_t i = thread_index(); i < n; i += grid_threads())
    to[i] = from[i / columns * from_row + i % columns];
}

}  // namespace

void embed_rows(const std::uint8_t* codes, int rows, const float* embed, int vocab, int wp,
                float* x, cudaStream_t stream) {
  const std::size_t quads = static_cast<std::size_t>(rows) * static_cast<std::size_t>(wp / 4);
  embed_kernel<<<blocks(quads), kThreads, 0, stream>>>(codes, quads, embed, vocab, wp, x);
  MAMBO_CUDA(cudaGetLastError());
}

template <class T>
void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  T* out, cudaStream_t stream) {
  const int lanes = wp <= 32 ? 8 : (wp <= 64 ? 16 : 32);
  const std::size_t threads = static_cast<std::size_t>(rows) * static_cast<std::size_t>(lanes);
  const auto n = static_cast<unsigned>((threads + kThreads - 1) / kThreads);
  rmsnorm_kernel<T><<<n, kThreads, 0, stream>>>(x, weight, width, wp, eps, rows, lanes, out);
  MAMBO_CUDA(cudaGetLastError());
}

template <class T>
void conv_silu_rows(const ConvArgs& a, const T* in, T* u, cudaStream_t stream) {
  const int tile_rows = conv_rows(a);
  const int tiles = (a.rows + tile_rows - 1) / tile_rows;
  const std::size_t threads = static_cast<std::size_t>(tiles) * static_cast<std::size_t>(a.dp / 4);
  const auto n = static_cast<unsigned>((threads + kThreads - 1) / kThreads);
  constexpr void (*kOfWindow[])(ConvArgs, int, const T*, T*) = {
      conv_kernel<T, 0>, conv_kernel<T, 1>, conv_kernel<T, 2>, conv_kernel<T, 3>,
      conv_kernel<T, 4>};
  kOfWindow[a.K <= 4 ? a.K : 0]<<<n, kThreads, 0, stream>>>(a, tile_rows, in, u);
  MAMBO_CUDA(cudaGetLastError());
}

template <class T>
void keep_conv_inputs(const ConvArgs& a, const T* in, cudaStream_t stream) {
  const std::size_t threads = static_cast<std::size_t>(a.K) * static_cast<std::size_t>(a.dp / 4);
  keep_conv_kernel<T><<<blocks(threads), kThreads, 0, stream>>>(a, in);
  MAMBO_CUDA(cudaGetLastError());
}

void delta_rows(const float* dt, int dt_row, int rows, const float* weight, const float* bias,
                int R, int dp, float* delta, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((rows + kDeltaTileRows - 1) / kDeltaTileRows),
                  static_cast<unsigned>((dp + kDeltaChannels - 1) / kDeltaChannels));
  delta_kernel<<<grid, 128, 0, stream>>>(dt, dt_row, rows, weight, bias, R, dp, delta);
  MAMBO_CUDA(cudaGetLastError());
}

template <class T>
void fill_rows(const float* bias, int width, std::size_t rows, T* out, cudaStream_t stream) {
  const std::size_t n = rows * static_cast<std::size_t>(width / 4);
  fill_kernel<T><<<blocks(n), kThreads, 0, stream>>>(bias, width / 4, n, out);
  MAMBO_CUDA(cudaGetLastError());
}

void add_row(const float* row, std::size_t width, std::size_t rows, float* out,
             cudaStream_t stream) {
  const std::size_t quads = width / 4;
  add_kernel<<<blocks(rows * quads), kThreads, 0, stream>>>(row, quads, rows * quads, out);
  MAMBO_CUDA(cudaGetLastError());
}

void convert(const float* from, std::size_t n, __half* to, cudaStream_t stream) {
  convert_kernel<<<blocks(n / 4), kThreads, 0, stream>>>(from, n / 4, to);
  MAMBO_CUDA(cudaGetLastError());
}

void gain_rows(float* rows, int row, int columns, int n, float gain, const float* offset,
               cudaStream_t stream) {
  const int quads = columns / 4;
  const std::size_t all = static_cast<std::size_t>(n) * static_cast<std::size_t>(quads);
  if (all == 0) return;
  gain_kernel<<<blocks(all), kThreads, 0, stream>>>(rows, row, quads, all, gain, offset);
  MAMBO_CUDA(cudaGetLastError());
}

void sum_rows(const float* rows, int row, int columns, int n, double* sums, cudaStream_t stream) {
  if (n <= 0) return;
  const auto ctas = static_cast<unsigned>((columns + kSumColumns - 1) / kSumColumns);
  sum_kernel<<<ctas, kSumColumns, 0, stream>>>(rows, row, columns, n, sums);
  MAMBO_CUDA(cudaGetLastError());
}

void summarise_rows(const float* delta, int dp, int d_inner, std::uint64_t first, int rows,
                    SummaryBlocks blocks, LayerSummary* out, cudaStream_t stream) {
  if (rows <= 0) return;
  const std::uint64_t block = blocks.block_of(first);
  const std::uint64_t last = blocks.block_of(first + static_cast<std::uint64_t>(rows) - 1);
  summary_kernel<<<static_cast<unsigned>(last - block + 1), kSummaryThreads, 0, stream>>>(
      delta, dp, d_inner, first, rows, blocks, block, out);
  MAMBO_CUDA(cudaGetLastError());
}

void pack_rows(const float* from, int from_row, int columns, int rows, float* to,
               cudaStream_t stream) {
  const std::size_t n = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  pack_kernel<<<blocks(n), kThreads, 0, stream>>>(from, from_row, columns, n, to);
  MAMBO_CUDA(cudaGetLastError());
}

template void rmsnorm_rows<float>(const float*, const float*, int, int, float, int, float*,
                                  cudaStream_t);
template void rmsnorm_rows<__half>(const float*, const float*, int, int, float, int, __half*,
                                   cudaStream_t);
template void conv_silu_rows<float>(const ConvArgs&, const float*, float*, cudaStream_t);
template void conv_silu_rows<__half>(const ConvArgs&, const __half*, __half*, cudaStream_t);
template void keep_conv_inputs<float>(const ConvArgs&, const float*, cudaStream_t);
template void keep_conv_inputs<__half>(const ConvArgs&, const __half*, cudaStream_t);
template void fill_rows<float>(const float*, int, std::size_t, float*, cudaStream_t);
template void fill_rows<__half>(const float*, int, std::size_t, __half*, cudaStream_t);

}  // namespace mambo::cuda
