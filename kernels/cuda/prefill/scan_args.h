// What every mixer's scan over time reads and writes alike.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace mambo::cuda {

// Everything on the device, rows are steps. T is float or __half. dp is a multiple of 32.
template <class T>
struct ScanArgs {
  const T* u = nullptr;      // [length][u_row]
  const T* z = nullptr;      // [length][z_row]
  T* y = nullptr;            // [length][y_row]; shares no memory with the above
  const float* D = nullptr;  // [dp]
  float* h = nullptr;        // the state: in and out
  float* ends = nullptr;     // scratch
  int u_row = 0, z_row = 0, y_row = 0;
  int dp = 0, length = 0;
  int sms = 1;  // of the device: how many segments of time are worth having
};

}  // namespace mambo::cuda
