// The small kernels of prefill: everything between two matrix products that is not the scan. Rows
// are steps; T is float or __half, the type in which activations are stored. Widths are padded
// to 32. Each is bound by memory: it reads and writes once what its signature names.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/engine.h"
#include "kernels/observe.h"

namespace mambo::cuda {

// x[r] = embed[codes[r]]; a code beyond the vocabulary is taken as its last.
void embed_rows(const std::uint8_t* codes, int rows, const float* embed, int vocab, int wp,
                float* x, cudaStream_t stream);

// out[r] = x[r] / rms(x[r]) * weight, over `width` real elements of wp.
template <class T>
void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  T* out, cudaStream_t stream);

// The depthwise causal convolution and SiLU: u[r] = silu(bias + sum_k weight[k] * in[r-K+1+k]).
// What came before row 0 stands in the ring of the state, row i % K for step i; `first` is the step
// of row 0.
struct ConvArgs {
  const float* weight;  // [K][dp]
  const float* bias;    // [dp]
  float* ring;          // [K][dp]
  int K, dp;
  std::uint64_t first;
  int rows;
  int in_row;  // of `in`
};
template <class T>
void conv_silu_rows(const ConvArgs& a, const T* in, T* u, cudaStream_t stream);
// Afterwards: the last K inputs go into the ring.
template <class T>
void keep_conv_inputs(const ConvArgs& a, const T* in, cudaStream_t stream);

// delta[r] = softplus(weight * dt[r] + bias); weight [R][dp], dt rows dt_row apart.
void delta_rows(const float* dt, int dt_row, int rows, const float* weight, const float* bias,
                int R, int dp, float* delta, cudaStream_t stream);

// out[r] = bias (a matrix product adds to it), out[r] += row.
template <class T>
void fill_rows(const float* bias, int width, std::size_t rows, T* out, cudaStream_t stream);
void add_row(const float* row, std::size_t width, std::size_t rows, float* out,
             cudaStream_t stream);
// n elements, a multiple of 4.
void convert(const float* from, std::size_t n, __half* to, cudaStream_t stream);
// Delta made small (PrefillSink::summaries). delta [rows][dp], of which d_inner are real; row 0 is
// step `first`. out: the blocks from blocks.block_of(first) on. Deterministic.
void summarise_rows(const float* delta, int dp, int d_inner, std::uint64_t first, int rows,
                    SummaryBlocks blocks, LayerSummary* out, cudaStream_t stream);
// rows[r] = gain * rows[r] + offset: selectivity by hand. `columns`, a multiple of 4, of rows
// `row` apart.
void gain_rows(float* rows, int row, int columns, int n, float gain, const float* offset,
               cudaStream_t stream);
// sums[c] += rows[r][c], row after row: the same sums however time is cut. One thread per column,
// which waits for memory: some 20 cycles per row.
void sum_rows(const float* rows, int row, int columns, int n, double* sums, cudaStream_t stream);
// to[r][0, columns) = from[r][0, columns): padding taken out.
void pack_rows(const float* from, int from_row, int columns, int rows, float* to,
               cudaStream_t stream);

}  // namespace mambo::cuda
