// The element-wise work of prefill over many steps at once, and the scans along time, selective and
// time-invariant.
// Row-major [rows][columns] throughout; dimensions padded as in network.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/network.h"

namespace mambo::cpu {

// y[r] = rmsnorm(x[r]) * weight.
void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  float* y);

// u[r] = silu(conv_bias + sum_k conv[k] * in[r - (K-1) + k]); in has row stride `stride` and K-1
// rows of history before it.
void conv_silu_rows(const Layer& l, int K, const float* in, std::size_t stride, int rows, float* u);

// delta[r] = softplus(dt_proj * dbc[r][0..R) + bias); dbc has row stride l.xp.
void delta_rows(const Layer& l, const float* dbc, int rows, float* delta);

// One block of 16 channels along time. h [N][16] is read and left at the end. dbc [rows][xp] holds
// B and C; delta, u [rows][dp]; z and y have row stride uz_stride. Selective scan, Gu & Dao
// section 3.3: h = exp(delta A) h + delta B u, y = (C h + D u) silu(z).
void scan_block(const Layer& l, int N, int block, int rows, const float* delta, const float* u,
                const float* dbc, const float* z, std::size_t uz_stride, float* h, float* y);

// The same of a time-invariant layer: h [M][real, imaginary][16].
void scan_block_s4d(const Layer& l, int block, int rows, const float* u, const float* z,
                    std::size_t uz_stride, float* h, float* y);

}  // namespace mambo::cpu
