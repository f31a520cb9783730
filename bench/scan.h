// Parts of the kernels timed by themselves, for `mambo bench`.
#pragma once

#include <cstdint>
#include <string>

namespace mambo {

// Seconds that the CPU's selective scan (gate included, float32) takes for `length` steps of
// d_inner channels and d_state states on `threads` threads that share the channels out. Its inputs
// are one tile of 256 steps used over and over, as prefill hands it over: in the cache. Any thread;
// allocates.
double bench_scan(int d_inner, int d_state, std::int64_t length, int threads);

// The same on the CUDA device that is current: the scan as prefill runs it
// (kernels/cuda/prefill/scan_s6.h), batch 1, gate included, from a state to a state, its inputs in
// the device's memory, more of them than its cache holds. `half`: u, z and y in fp16; delta, B, C
// and the state are float32 always. Steps are as in a fresh layer: A = -1 ... -N, delta spread
// evenly in logarithm from 0.001 to 0.1. Throws DeviceError. Only where CUDA is built in.
struct CudaScanTimes {
  double seconds_median;  // of 20 and more runs
  double bytes;  // that a run has to move at least: each input read, each output written once
  std::string device;
};
CudaScanTimes bench_scan_cuda(int d_inner, int d_state, std::int64_t length, bool half);

}  // namespace mambo
