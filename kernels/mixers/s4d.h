// The time-invariant mixer's constants: with nothing in it that depends on the input, every
// exponential is taken once, at load.
#pragma once

#include <complex>
#include <vector>

#include "kernels/network.h"

namespace mambo {

// One state of one channel, discretised (zero-order hold): h = decay h + u, y += Re(gain h).
struct Mode {
  std::complex<double> decay;  // exp(dt A)
  std::complex<double> gain;   // 2 C (exp(dt A) - 1) / A
};
// A may be 0: then the hold's factor is its limit, dt.
Mode discretise(double dt, std::complex<double> A, std::complex<double> C);

// All of an s4d layer as the engines take it, computed in double. In float32 as in double |decay|
// is at most 1, and below it where that is so in double: rounded up, a slow decay would be growth
// without end.
struct LayerModes {
  std::vector<float> dt;                         // [d_inner]: exp(log_dt)
  std::vector<std::complex<float>> decay, gain;  // [d_inner][M]
};
LayerModes layer_modes(const LayerView& layer, int d_inner);

}  // namespace mambo
