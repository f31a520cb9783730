// The time-invariant scan over a stretch of time, parallel along time. M complex modes a channel:
//   h[c,m] = decay[c,m] * h[c,m] + u[c];
//   y[c]   = (sum_m Re(gain[c,m] * h[c,m]) + D[c]*u[c]) * silu(z[c])
// with an initial state in and the final state out, so that it may be cut anywhere.
#pragma once

#include "kernels/cuda/prefill/scan_args.h"

namespace mambo::cuda {

constexpr int kMostModes = 64;
// A lane holds eight modes of a channel in registers; of more, so many lanes share a channel.
constexpr int kLaneModes = 8;
constexpr int mode_lanes(int M) { return M <= 8 ? 1 : (M <= 16 ? 2 : (M <= 32 ? 4 : 8)); }

// The modes' constants, four floats each: decay and gain, real and imaginary part. They stand in
// the order in which the lanes of a warp hold them: [dp / 32 * lanes][kLaneModes][32 lanes]. All
// else is zero.
constexpr std::size_t mode_floats(int dp, int M) {
  return std::size_t{4} * kLaneModes * static_cast<std::size_t>(mode_lanes(M)) *
         static_cast<std::size_t>(dp);
}
// Where those of channel c's mode m begin, in floats.
constexpr std::size_t mode_at(int M, int c, int m) {
  const int lane = c * mode_lanes(M) + m / kLaneModes;  // counted through all warps
  const int row = lane / 32 * kLaneModes + m % kLaneModes;
  return std::size_t{4} *
         (static_cast<std::size_t>(row) * 32 + static_cast<std::size_t>(lane % 32));
}

// h is [dp][hp / 2][real, imaginary]; what is beyond M of them is neither read nor written. ends is
// s4d_scan_scratch() floats.
template <class T>
struct S4dScanArgs : ScanArgs<T> {
  const float* modes = nullptr;  // mode_floats(dp, M), see above; |decay| <= 1
  int hp = 0, M = 0;             // M: kMostModes at most
  float read = 1;                // y = read * sum_m ... + D u
};

// Floats of scratch that such a scan needs, however long it is: 40 KiB for each SM at most.
std::size_t s4d_scan_scratch(int dp, int M, int sms);

// Three launches, or one where the stretch is short. Deterministic. Defined for float and __half.
// Throws DeviceError.
template <class T>
void scan(S4dScanArgs<T> args, cudaStream_t stream);

}  // namespace mambo::cuda
