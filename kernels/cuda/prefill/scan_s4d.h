// The time-invariant scan over a stretch of time, parallel along time. M complex modes a channel:
//   h[c,m] = decay[c,m] * h[c,m] + u[c];
//   y[c]   = (sum_m Re(gain[c,m] * h[c,m]) + D[c]*u[c]) * silu(z[c])
// with an initial state in and the final state out, so that it may be cut anywhere.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

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

// Everything on the device, rows are steps. T is float or __half. dp is a multiple of 32.
template <class T>
struct S4dScanArgs {
  const T* u = nullptr;          // [length][u_row]
  const T* z = nullptr;          // [length][z_row]
  T* y = nullptr;                // [length][y_row]; shares no memory with the above
  const float* modes = nullptr;  // mode_floats(dp, M), see above; |decay| <= 1
  const float* D = nullptr;      // [dp]
  float* h = nullptr;            // [dp][hp / 2][real, imaginary]: in and out; what is beyond M of
                                 // them is neither read nor written
  float* ends = nullptr;         // scratch, s4d_scan_scratch() floats
  int u_row = 0, z_row = 0, y_row = 0;
  int dp = 0, hp = 0, M = 0;  // M: kMostModes at most
  int length = 0;
  int sms = 1;  // of the device: how many segments of time are worth having
};

// Floats of scratch that such a scan needs, however long it is: 40 KiB for each SM at most.
std::size_t s4d_scan_scratch(int dp, int M, int sms);

// Three launches, or one where the stretch is short. Deterministic. Defined for float and __half.
// Throws DeviceError.
template <class T>
void scan(S4dScanArgs<T> args, cudaStream_t stream);

}  // namespace mambo::cuda
