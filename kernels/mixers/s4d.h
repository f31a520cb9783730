// S4D, the time-invariant diagonal state space of Gu et al., arXiv 2206.11893. Per channel, with M
// complex states:
//   h = exp(dt A) h + u,   y = 2 Re(sum C (exp(dt A) - 1) / A h) + D u,
//   dt = exp(log_dt),      A = -exp(A_log) + i A_im
// Nothing in it depends on the input, so every exponential is taken once, at load.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "kernels/mixers/mixer.h"

namespace mambo {

struct S4dView {
  static constexpr Mixer id = Mixer::s4d;
  TensorView log_dt;  // [d_inner]
  TensorView A_log;   // [d_inner, M]: Re A
  TensorView A_im;    // [d_inner, M]
  TensorView C;       // [d_inner, 2M]: real and imaginary part of each state in turn

  int states() const { return static_cast<int>(A_log.cols); }  // M per channel, layer by layer
  // Multiply-adds of a step: four for the update of each complex state, two for its read-out.
  std::uint64_t macs() const { return static_cast<std::uint64_t>(6 * A_log.size()); }
  // [d_inner]: exp(log_dt), which delta always is.
  std::vector<double> resting_delta() const;
  // states 0: unknown, because A_log is missing.
  std::vector<TensorRow> tensors(std::int64_t d_inner, std::int64_t states);
};

// One state of one channel, discretised (zero-order hold): h = decay h + u, y += Re(gain h).
struct S4dMode {
  std::complex<double> decay;  // exp(dt A)
  std::complex<double> gain;   // 2 C (exp(dt A) - 1) / A
};
// A may be 0: then the hold's factor is its limit, dt.
S4dMode discretise(double dt, std::complex<double> A, std::complex<double> C);

// All of a layer as the engines take it, computed in double. In float32 as in double |decay| is at
// most 1, and below it where that is so in double: rounded up, a slow decay would be growth without
// end.
struct S4dModes {
  std::vector<float> dt;                         // [d_inner]: exp(log_dt)
  std::vector<std::complex<float>> decay, gain;  // [d_inner][M]
};
S4dModes s4d_modes(const S4dView& view);

}  // namespace mambo
