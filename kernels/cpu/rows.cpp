#include "kernels/cpu/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

using cpu::Layer;
constexpr int kStep = static_cast<int>(kLanes);

void RmsNormRows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                 float* y) {
  for (int r = 0; r < rows; ++r) {
    RmsNorm(x + static_cast<size_t>(r) * wp, weight, width, wp, eps,
            y + static_cast<size_t>(r) * wp);
  }
}

void ConvSiluRows(const Layer& l, int K, const float* in, size_t stride, int rows, float* u) {
  for (int r = 0; r < rows; ++r) {
    const float* newest = in + static_cast<size_t>(r) * stride;
    float* out = u + static_cast<size_t>(r) * l.dp;
    for (int c = 0; c < l.dp; c += kStep) {
      V acc = hn::Load(d, l.conv_bias.data() + c);
      const float* row = newest - static_cast<size_t>(K - 1) * stride + c;
      for (int k = 0; k < K; ++k, row += stride) {
        acc = hn::MulAdd(hn::Load(d, l.conv.data() + static_cast<size_t>(k) * l.dp + c),
                         hn::Load(d, row), acc);
      }
      hn::Store(Silu(acc), d, out + c);
    }
  }
}

void DeltaRows(const Layer& l, const float* dbc, int rows, float* delta) {
  const int R = l.rank;
  const float* bias = l.dt_proj.bias.data();
  for (int c = 0; c < l.dp; c += kStep) {
    for (int r = 0; r < rows; ++r) {
      const float* dt = dbc + static_cast<size_t>(r) * l.xp;
      V acc = hn::Load(d, bias + c);
      for (int k = 0; k < R; ++k) {
        acc = hn::MulAdd(hn::Load(d, l.dt_columns.data() + static_cast<size_t>(k) * l.dp + c),
                         Const(dt[k]), acc);
      }
      hn::Store(Softplus(acc), d, delta + static_cast<size_t>(r) * l.dp + c);
    }
  }
}

// kStates states of one vector of channels stay in registers along all rows. `first`: the pass that
// starts y with D u; `last`: the one that applies the gate.
template <int kStates>
HWY_INLINE void ScanStates(const float* A, const float* skip_weight, int rows, const float* delta,
                           const float* u, int dp, const float* B, const float* C, int xp,
                           const float* z, size_t uz_stride, float* h, float* y, bool first,
                           bool last) {
  V state[kStates];
  MAMBO_UNROLL
  for (int n = 0; n < kStates; ++n) state[n] = hn::Load(d, h + n * 16);
  const V skip = hn::Load(d, skip_weight);
  for (int r = 0; r < rows; ++r) {
    const V dt = hn::Load(d, delta);
    const V uc = hn::Load(d, u);
    const V du = hn::Mul(dt, uc);
    V sum[2] = {hn::Zero(d), hn::Zero(d)};
    MAMBO_UNROLL
    for (int n = 0; n < kStates; ++n) {
      const V e = Exp2(hn::Mul(dt, hn::Load(d, A + n * 16)));
      state[n] = hn::MulAdd(e, state[n], hn::Mul(du, Const(B[n])));
      sum[n & 1] = hn::MulAdd(state[n], Const(C[n]), sum[n & 1]);
    }
    V out = hn::Add(sum[0], sum[1]);
    out = hn::Add(out, first ? hn::Mul(skip, uc) : hn::Load(d, y));
    if (last) out = hn::Mul(out, Silu(hn::Load(d, z)));
    hn::Store(out, d, y);
    y += uz_stride;
    delta += dp;
    u += dp;
    B += xp;
    C += xp;
    z += uz_stride;
  }
  MAMBO_UNROLL
  for (int n = 0; n < kStates; ++n) hn::Store(state[n], d, h + n * 16);
}

void ScanBlock(const Layer& l, int N, int block, int rows, const float* delta, const float* u,
               const float* dbc, const float* z, size_t uz_stride, float* h, float* y) {
  constexpr int kStates = kLanes == 16 ? 16 : 8;
  const float* A = l.A.data() + static_cast<size_t>(block) * N * 16;
  for (int i = 0; i < 16; i += kStep) {
    const int c = block * 16 + i;
    const float* Dc = l.D.data() + c;
    int n = 0;
    while (n < N) {
      const float* B = dbc + l.rank + n;
      const float* C = B + N;
      const size_t at = static_cast<size_t>(n) * 16 + i;
      float* yc = y + c;
      const auto run = [&](auto states) {
        constexpr int kHere = decltype(states)::value;
        ScanStates<kHere>(A + at, Dc, rows, delta + c, u + c, l.dp, B, C, l.xp, z + c, uz_stride,
                          h + at, yc, n == 0, n + kHere >= N);
        n += kHere;
      };
      if (N - n >= kStates)
        run(std::integral_constant<int, kStates>());
      else if (N - n >= 4)
        run(std::integral_constant<int, 4>());
      else
        run(std::integral_constant<int, 1>());
    }
  }
}

// kStates complex states of one vector of channels stay in registers along all rows.
template <int kStates>
HWY_INLINE void ScanModes(const float* HWY_RESTRICT modes, const float* skip_weight, int rows,
                          const float* u, int dp, const float* z, size_t uz_stride,
                          float* HWY_RESTRICT h, float* y, bool first, bool last) {
  constexpr int kRow = 16;
  ModeStep state[kStates];
  MAMBO_UNROLL
  for (int m = 0; m < kStates; ++m)
    state[m] = {hn::Load(d, h + 2 * m * kRow), hn::Load(d, h + (2 * m + 1) * kRow)};
  const V skip = hn::Load(d, skip_weight);
  for (int r = 0; r < rows; ++r) {
    const V uc = hn::Load(d, u);
    V sum[2] = {first ? hn::Mul(skip, uc) : hn::Load(d, y), hn::Zero(d)};
    MAMBO_UNROLL
    for (int m = 0; m < kStates; ++m) {
      const float* w = modes + m * cpu::kMode * kRow;
      state[m].Run(hn::Load(d, w), hn::Load(d, w + kRow), hn::Load(d, w + 2 * kRow),
                   hn::Load(d, w + 3 * kRow), uc, sum[m & 1]);
    }
    V out = hn::Add(sum[0], sum[1]);
    if (last) out = hn::Mul(out, Silu(hn::Load(d, z)));
    hn::Store(out, d, y);
    y += uz_stride;
    u += dp;
    z += uz_stride;
  }
  MAMBO_UNROLL
  for (int m = 0; m < kStates; ++m) {
    hn::Store(state[m].re, d, h + 2 * m * kRow);
    hn::Store(state[m].im, d, h + (2 * m + 1) * kRow);
  }
}

void ScanBlockS4d(const Layer& l, int block, int rows, const float* u, const float* z,
                  size_t uz_stride, float* h, float* y) {
  constexpr int kMany = kLanes == 16 ? 8 : 4;  // two registers each
  constexpr int kSome = kMany / 2;
  const int M = l.states;
  const float* modes = l.modes.data() + static_cast<size_t>(block) * M * cpu::kMode * 16;
  for (int i = 0; i < 16; i += kStep) {
    const int c = block * 16 + i;
    int m = 0;
    while (m < M) {
      const auto run = [&](auto states) {
        constexpr int kHere = decltype(states)::value;
        ScanModes<kHere>(modes + m * cpu::kMode * 16 + i, l.D.data() + c, rows, u + c, l.dp, z + c,
                         uz_stride, h + m * 2 * 16 + i, y + c, m == 0, m + kHere >= M);
        m += kHere;
      };
      if (M - m >= kMany)
        run(std::integral_constant<int, kMany>());
      else if (M - m >= kSome)
        run(std::integral_constant<int, kSome>());
      else
        run(std::integral_constant<int, 1>());
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(RmsNormRows);
HWY_EXPORT(ConvSiluRows);
HWY_EXPORT(DeltaRows);
HWY_EXPORT(ScanBlock);
HWY_EXPORT(ScanBlockS4d);

namespace cpu {

void rmsnorm_rows(const float* x, const float* weight, int width, int wp, float eps, int rows,
                  float* y) {
  HWY_DYNAMIC_DISPATCH(RmsNormRows)(x, weight, width, wp, eps, rows, y);
}
void conv_silu_rows(const Layer& l, int K, const float* in, std::size_t stride, int rows,
                    float* u) {
  HWY_DYNAMIC_DISPATCH(ConvSiluRows)(l, K, in, stride, rows, u);
}
void delta_rows(const Layer& l, const float* dbc, int rows, float* delta) {
  HWY_DYNAMIC_DISPATCH(DeltaRows)(l, dbc, rows, delta);
}
void scan_block(const Layer& l, int N, int block, int rows, const float* delta, const float* u,
                const float* dbc, const float* z, std::size_t uz_stride, float* h, float* y) {
  HWY_DYNAMIC_DISPATCH(ScanBlock)(l, N, block, rows, delta, u, dbc, z, uz_stride, h, y);
}
void scan_block_s4d(const Layer& l, int block, int rows, const float* u, const float* z,
                    std::size_t uz_stride, float* h, float* y) {
  HWY_DYNAMIC_DISPATCH(ScanBlockS4d)(l, block, rows, u, z, uz_stride, h, y);
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
