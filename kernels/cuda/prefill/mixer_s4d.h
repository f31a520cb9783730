// The S4D mixer in prefill: the time-invariant scan. Delta is a constant of each channel, which the
// scan's modes have in them already.
#pragma once

#include "kernels/cuda/prefill/mixer_rows.h"
#include "kernels/cuda/prefill/prefill_kernels.h"
#include "kernels/cuda/prefill/scan_s4d.h"

namespace mambo::cuda {

struct PrefillS4d {
  static constexpr bool kScanReadsDelta = false;
  int M = 0;
  const float* modes = nullptr;  // as the scan wants them
  const float* delta = nullptr;  // [dp]

  int shown_states() const { return 0; }
  int dbc_columns() const { return 0; }
  std::size_t scratch_floats(int dp, int sms) const { return s4d_scan_scratch(dp, M, sms); }

  template <class T>
  void make_delta(const MixerRows<T>& r, const Products<T>& /*products*/) const {
    fill_rows(delta, r.dp, static_cast<std::size_t>(r.steps), r.delta, r.stream);
  }
  template <class T>
  void add_to_sums(const MixerRows<T>& /*rows*/, int /*d_inner*/, double* /*sums*/) const {}
  template <class T>
  void play_by_hand(const MixerRows<T>& /*rows*/, const RowsByHand& /*hand*/) const {}
  template <class T>
  StepBC bc(const MixerRows<T>& /*rows*/) const {
    return {};
  }
  template <class T>
  void scan_rows(const MixerRows<T>& r) const {
    auto a = scan_args<S4dScanArgs<T>>(r);
    a.modes = modes;
    a.read = r.read;
    a.hp = r.hp;
    a.M = M;
    scan(a, r.stream);
  }
};

}  // namespace mambo::cuda
