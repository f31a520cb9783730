// What a layer's mixer works on in prefill, and what a type must offer to be one.
#pragma once

#include <cuda_runtime.h>

#include <concepts>
#include <cstddef>

namespace mambo::cuda {

template <class T>
class Products;

// Selectivity by hand of a layer (kernels/selectivity.h), with its offsets on the device.
struct RowsByHand {
  float delta_gain = 1, B_gain = 1, C_gain = 1;
  const float* delta_offset = nullptr;  // [dp]; null: as the network says
  const float* B_offset = nullptr;      // [np]
  const float* C_offset = nullptr;      // [np]
  int np = 0;                           // B's and C's, a multiple of 16
};

// The steps of one layer that fall into a chunk. Everything on the device, rows are steps; T is the
// storage of activations, float or __half.
template <class T>
struct MixerRows {
  int steps = 0, dp = 0;
  const T* u = nullptr;      // [steps][dp]
  T* uz = nullptr;           // [steps][2 dp]: z in the second half of a row; y goes to the first
  float* delta = nullptr;    // [steps][dp]
  float* dbc = nullptr;      // [steps][dbc_columns()]
  float* scratch = nullptr;  // scratch_floats()
  const float* D = nullptr;  // [dp]
  float* h = nullptr;        // the state, [dp][hp]: in and out
  int hp = 0;
  float read = 1;  // of a time-invariant layer
  int sms = 1;
  cudaStream_t stream = nullptr;
};

// What every scan reads and writes alike.
template <class Args, class T>
Args scan_args(const MixerRows<T>& r) {
  Args a;
  a.u = r.u;
  a.z = r.uz + r.dp;
  a.y = r.uz;
  a.D = r.D;
  a.h = r.h;
  a.ends = r.scratch;
  a.u_row = r.dp;
  a.z_row = 2 * r.dp;
  a.y_row = 2 * r.dp;
  a.dp = r.dp;
  a.length = r.steps;
  a.sms = r.sms;
  return a;
}

// B and C of each step where a mixer has them, `states` columns of rows `row` apart; else null.
struct StepBC {
  const float* B = nullptr;
  const float* C = nullptr;
  int row = 0;
};

// A mixer's weights on the device and what prefill does with them. make_delta() is the one place
// where prefill makes delta: of a mixer whose scan reads none it is called only when a sink looks.
template <class M>
concept PrefillMixer = requires(const M m, const MixerRows<float>& rows,
                                const Products<float>& products) {
  { M::kScanReadsDelta } -> std::convertible_to<bool>;
  { m.shown_states() } -> std::same_as<int>;  // columns of B and of C that a sink gets
  { m.dbc_columns() } -> std::same_as<int>;
  { m.scratch_floats(0, 0) } -> std::same_as<std::size_t>;  // (dp, sms)
  m.make_delta(rows, products);
  // Of what make_delta() has made: sums[0, d_inner) and then those of B and of C, on the device;
  // then what is played by hand, in place.
  m.add_to_sums(rows, 0, static_cast<double*>(nullptr));
  m.play_by_hand(rows, RowsByHand());
  { m.bc(rows) } -> std::same_as<StepBC>;
  m.scan_rows(rows);
};

}  // namespace mambo::cuda
