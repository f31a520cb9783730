// The S6 mixer in prefill: delta, B and C of all steps by matrix products, then the selective scan.
#pragma once

#include "kernels/cuda/prefill/mixer_rows.h"
#include "kernels/cuda/prefill/prefill_kernels.h"
#include "kernels/cuda/prefill/prefill_matrix.h"
#include "kernels/cuda/prefill/scan_s6.h"

namespace mambo::cuda {

struct PrefillS6 {
  static constexpr bool kScanReadsDelta = true;
  int N = 0, rank = 0;
  int states = 16;                 // scan_states(N)
  PrefillMatrix x_proj;            // [2 states + rank, padded][dp]: B, C, delta
  const float* dt = nullptr;       // [rank][dp]
  const float* dt_bias = nullptr;  // [dp]
  const float* A = nullptr;        // [states][dp], as the scan wants it

  int shown_states() const { return N; }
  int dbc_columns() const { return x_proj.rows; }
  std::size_t scratch_floats(int dp, int sms) const { return s6_scan_scratch(dp, states, sms); }

  template <class T>
  void make_delta(const MixerRows<T>& r, const Products<T>& products) const {
    products.multiply(x_proj, r.u, r.dp, r.steps, r.dbc, x_proj.rows, 0.0F);
    delta_rows(r.dbc + 2 * states, x_proj.rows, r.steps, dt, dt_bias, rank, r.dp, r.delta,
               r.stream);
  }
  template <class T>
  void add_to_sums(const MixerRows<T>& r, int d_inner, double* sums) const {
    sum_rows(r.delta, r.dp, d_inner, r.steps, sums, r.stream);
    sum_rows(bc(r).B, bc(r).row, N, r.steps, sums + d_inner, r.stream);
    sum_rows(bc(r).C, bc(r).row, N, r.steps, sums + d_inner + N, r.stream);
  }
  template <class T>
  void play_by_hand(const MixerRows<T>& r, const RowsByHand& hand) const {
    const int row = x_proj.rows;
    gain_rows(r.delta, r.dp, r.dp, r.steps, hand.delta_gain, hand.delta_offset, r.stream);
    gain_rows(r.dbc, row, hand.np, r.steps, hand.B_gain, hand.B_offset, r.stream);
    gain_rows(r.dbc + states, row, hand.np, r.steps, hand.C_gain, hand.C_offset, r.stream);
  }
  template <class T>
  StepBC bc(const MixerRows<T>& r) const {
    return {r.dbc, r.dbc + states, x_proj.rows};
  }
  template <class T>
  void scan_rows(const MixerRows<T>& r) const {
    auto a = scan_args<S6ScanArgs<T>>(r);
    a.delta = r.delta;
    a.B = bc(r).B;
    a.C = bc(r).C;
    a.bc_row = bc(r).row;
    a.A = A;
    a.np = r.hp;
    a.states = states;
    scan(a, r.stream);
  }
};

}  // namespace mambo::cuda
