#include "kernels/cpu/mixer_s4d.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/mixer_s4d.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/mixer_s4d-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

constexpr int kLaneStep = static_cast<int>(kLanes);

// kStates complex states of one vector of channels stay in registers along all rows. y has the
// skip and the states so far where nothing scales them (kRead false), else the states alone until
// the last pass.
template <bool kRead, int kStates>
HWY_INLINE void ScanModes(const float* HWY_RESTRICT modes, const float* skip_weight, int rows,
                          const float* u, int dp, const float* z, size_t uz_stride,
                          float* HWY_RESTRICT h, float* y, bool first, bool last, float read) {
  constexpr int kRow = 16;
  ModeStep state[kStates];
  MAMBO_UNROLL
  for (int m = 0; m < kStates; ++m)
    state[m] = {hn::Load(d, h + 2 * m * kRow), hn::Load(d, h + (2 * m + 1) * kRow)};
  const V skip = hn::Load(d, skip_weight);
  for (int r = 0; r < rows; ++r) {
    const V uc = hn::Load(d, u);
    const V start = kRead ? hn::Zero(d) : hn::Mul(skip, uc);
    V sum[2] = {first ? start : hn::Load(d, y), hn::Zero(d)};
    MAMBO_UNROLL
    for (int m = 0; m < kStates; ++m) {
      const float* w = modes + m * cpu::kModeRows * kRow;
      state[m].Run(hn::Load(d, w), hn::Load(d, w + kRow), hn::Load(d, w + 2 * kRow),
                   hn::Load(d, w + 3 * kRow), uc, sum[m & 1]);
    }
    V out = hn::Add(sum[0], sum[1]);
    if (kRead && last) out = hn::MulAdd(Const(read), out, hn::Mul(skip, uc));
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

template <bool kRead>
void S4dScanTile(const cpu::S4dWeights& w, const cpu::MixerTile& t, int block, float* h) {
  constexpr int kMany = kLanes == 16 ? 8 : 4;  // two registers each
  constexpr int kSome = kMany / 2;
  const int M = w.M;
  const float* modes = w.modes.data() + static_cast<size_t>(block) * M * cpu::kModeRows * 16;
  for (int i = 0; i < 16; i += kLaneStep) {
    const int c = block * 16 + i;
    int m = 0;
    while (m < M) {
      const auto run = [&](auto states) {
        constexpr int kHere = decltype(states)::value;
        ScanModes<kRead, kHere>(modes + m * cpu::kModeRows * 16 + i, t.D + c, t.rows, t.u + c, w.dp,
                                t.z + c, t.uz_stride, h + m * 2 * 16 + i, t.y + c, m == 0,
                                m + kHere >= M, t.read);
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

void S4dScanBlock(const cpu::S4dWeights& w, const cpu::MixerTile& t, int block, float* h) {
  if (t.read == 1.0F)
    S4dScanTile<false>(w, t, block, h);
  else
    S4dScanTile<true>(w, t, block, h);
}

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(S4dScanBlock);

namespace cpu {

S4dWeights pack_mixer(const S4dView& view, int d_inner, WeightStorage /*storage*/) {
  const S4dModes modes = s4d_modes(view);
  S4dWeights w;
  w.d_inner = d_inner;
  w.dp = round_up(d_inner);
  w.M = view.states();
  w.modes = AlignedBuffer<float>(static_cast<std::size_t>(w.dp) * w.M * kModeRows);
  w.dt = AlignedBuffer<float>(static_cast<std::size_t>(w.dp));
  for (int c = 0; c < d_inner; ++c) {
    w.dt[static_cast<std::size_t>(c)] = modes.dt[static_cast<std::size_t>(c)];
    for (int m = 0; m < w.M; ++m) {
      const std::size_t i = static_cast<std::size_t>(c) * w.M + m;
      float* out = w.modes.data() +
                   (static_cast<std::size_t>(c / kBlock) * w.M + m) * kModeRows * kBlock +
                   c % kBlock;
      out[0 * kBlock] = modes.decay[i].real();
      out[1 * kBlock] = modes.decay[i].imag();
      out[2 * kBlock] = modes.gain[i].real();
      out[3 * kBlock] = modes.gain[i].imag();
    }
  }
  return w;
}

void scan_block(const S4dWeights& w, const MixerTile& t, int block, float* h) {
  HWY_DYNAMIC_DISPATCH(S4dScanBlock)(w, t, block, h);
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
