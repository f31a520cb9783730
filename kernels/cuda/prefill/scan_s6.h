// The selective scan over a stretch of time, parallel along time:
//   h[c,n] = exp(delta[c]*A[c,n]) * h[c,n] + delta[c]*B[n]*u[c];
//   y[c]   = (sum_n C[n]*h[c,n] + D[c]*u[c]) * silu(z[c])
// with an initial state in and the final state out, so that it may be cut anywhere.
#pragma once

#include "kernels/cuda/prefill/scan_args.h"

namespace mambo::cuda {

// States are worked through in whole registers: N rounded up to one of these.
constexpr int kMostStates = 64;
constexpr int scan_states(int N) { return N <= 16 ? 16 : (N <= 32 ? 32 : 64); }

// What A is where there is no channel or state: a decay to nothing, so that padding is the first to
// be left out.
inline constexpr float kScanPaddedA = -1e4F;

// h is [dp][np], ends s6_scan_scratch() floats. Pointers and row lengths are multiples of 16 bytes.
template <class T>
struct S6ScanArgs : ScanArgs<T> {
  const float* delta = nullptr;  // [length][dp]
  const float* B = nullptr;      // [length][bc_row], scan_states(N) floats each, zeros after N
  const float* C = nullptr;      // the same
  const float* A = nullptr;      // [scan_states(N)][dp]: -exp(A_log) * log2(e); kScanPaddedA
  int bc_row = 0, np = 0, states = 16;  // states: scan_states(N)
};

// Floats of scratch that scans of up to this many channels need.
std::size_t s6_scan_scratch(int dp, int states, int sms);

// Three launches, or one where the stretch is short. Deterministic. Defined for float and __half.
template <class T>
void scan(S6ScanArgs<T> args, cudaStream_t stream);

}  // namespace mambo::cuda
