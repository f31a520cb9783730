// The time-invariant mixer's constants: with nothing in it that depends on the input, every
// exponential is taken once, at load.
#pragma once

#include <complex>

#include "kernels/cpu/packed.h"
#include "kernels/params.h"

namespace mambo::cpu {

// One state of one channel, discretised (zero-order hold): h = decay h + u, y += Re(gain h).
struct Mode {
  std::complex<double> decay;  // exp(dt A)
  std::complex<double> gain;   // 2 C (exp(dt A) - 1) / A
};
// A may be 0: then the hold's factor is its limit, dt.
Mode discretise(double dt, std::complex<double> A, std::complex<double> C);

// Rows of 16 channels that a state has: real and imaginary part of decay, then of gain.
inline constexpr int kMode = 4;

// All of a layer, [dp/16][M][kMode][16], the order in which step and scan read them; zeros where
// channels are padding. Computed in double; In float32 as in double |decay| is at most 1, and
// below it where that is so in double: rounded up, a slow decay would be growth without end.
AlignedBuffer<float> make_modes(const LayerView& layer, int d_inner, int dp);

}  // namespace mambo::cpu
