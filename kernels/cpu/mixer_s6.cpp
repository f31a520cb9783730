#include "kernels/cpu/mixer_s6.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/mixer_s6.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/mixer_s6-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

constexpr int kLaneStep = static_cast<int>(kLanes);

void S6DeltaRows(const cpu::S6Weights& w, const float* projected, int rows, float* delta) {
  const int R = w.rank;
  const float* bias = w.dt_proj.bias.data();
  for (int c = 0; c < w.dp; c += kLaneStep) {
    for (int r = 0; r < rows; ++r) {
      const float* dt = projected + static_cast<size_t>(r) * w.xp;
      V acc = hn::Load(d, bias + c);
      for (int k = 0; k < R; ++k) {
        acc = hn::MulAdd(hn::Load(d, w.dt_columns.data() + static_cast<size_t>(k) * w.dp + c),
                         Const(dt[k]), acc);
      }
      hn::Store(S6Delta(acc), d, delta + static_cast<size_t>(r) * w.dp + c);
    }
  }
}

void S6PlayByHand(const cpu::S6Weights& w, const Selectivity::Layer& by_hand, int rows,
                  float* projected, float* delta) {
  PlayByHand(w, by_hand, rows, projected, delta);
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

void S6ScanBlock(const cpu::S6Weights& w, const cpu::MixerTile& t, int block, float* h) {
  constexpr int kStates = kLanes == 16 ? 16 : 8;
  const int N = w.N;
  const float* A = w.A.data() + static_cast<size_t>(block) * N * 16;
  for (int i = 0; i < 16; i += kLaneStep) {
    const int c = block * 16 + i;
    const float* Dc = t.D + c;
    int n = 0;
    while (n < N) {
      const float* B = t.projected + w.rank + n;
      const float* C = B + N;
      const size_t at = static_cast<size_t>(n) * 16 + i;
      float* yc = t.y + c;
      const auto run = [&](auto states) {
        constexpr int kHere = decltype(states)::value;
        ScanStates<kHere>(A + at, Dc, t.rows, t.delta + c, t.u + c, w.dp, B, C, w.xp, t.z + c,
                          t.uz_stride, h + at, yc, n == 0, n + kHere >= N);
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

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(S6DeltaRows);
HWY_EXPORT(S6PlayByHand);
HWY_EXPORT(S6ScanBlock);

namespace cpu {

S6Weights pack_mixer(const S6View& view, int d_inner, WeightStorage storage) {
  S6Weights w;
  w.d_inner = d_inner;
  w.dp = round_up(d_inner);
  w.N = view.states();
  w.rank = view.rank;
  const Segments inner{d_inner, w.dp};
  const int rows = w.rank + 2 * w.N;
  w.x_proj =
      make_linear(view.x_proj, {}, {rows, round_up(rows)}, round_up(rows), inner, w.dp, storage);
  w.xp = w.x_proj.packed.rows;
  w.dt_proj =
      make_linear(view.dt_proj, view.dt_bias, inner, w.dp, {w.rank, w.rank}, w.rank, storage);
  // Column k of dt_proj as prefill uses it: the packed values, transposed back.
  w.dt_columns = AlignedBuffer<float>(static_cast<std::size_t>(w.rank) * w.dp);
  const std::vector<float> dt = unpack(w.dt_proj.packed);
  for (int c = 0; c < w.dp; ++c) {
    for (int k = 0; k < w.rank; ++k) {
      w.dt_columns[static_cast<std::size_t>(k) * w.dp + c] =
          dt[static_cast<std::size_t>(c) * w.dt_proj.packed.cols + k];
    }
  }
  const std::vector<float> rates = s6_decay_rates(view);
  w.A = AlignedBuffer<float>(static_cast<std::size_t>(w.N) * w.dp);
  for (int c = 0; c < d_inner; ++c) {
    for (int n = 0; n < w.N; ++n) {
      w.A[(static_cast<std::size_t>(c / kBlock) * w.N + n) * kBlock + c % kBlock] =
          rates[static_cast<std::size_t>(c) * w.N + n];
    }
  }
  return w;
}

void project(const S6Weights& w, const float* u, int rows, float* projected, float* delta) {
  gemm(u, static_cast<std::size_t>(w.dp), w.x_proj, rows, projected, static_cast<std::size_t>(w.xp),
       Init::bias);
  HWY_DYNAMIC_DISPATCH(S6DeltaRows)(w, projected, rows, delta);
}

void play_by_hand(const S6Weights& w, const Selectivity::Layer& by_hand, int rows, float* projected,
                  float* delta) {
  HWY_DYNAMIC_DISPATCH(S6PlayByHand)(w, by_hand, rows, projected, delta);
}

void scan_block(const S6Weights& w, const MixerTile& t, int block, float* h) {
  HWY_DYNAMIC_DISPATCH(S6ScanBlock)(w, t, block, h);
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
