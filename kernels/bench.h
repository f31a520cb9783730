// Parts of the kernels timed by themselves, for `mambo bench`.
#pragma once

#include <cstdint>

namespace mambo {

// Seconds that the CPU's selective scan (gate included, float32) takes for `length` steps of
// d_inner channels and d_state states on `threads` threads that share the channels out. Its inputs
// are one tile of 256 steps used over and over, as prefill hands it over: in the cache. Any thread;
// allocates.
double bench_scan(int d_inner, int d_state, std::int64_t length, int threads);

}  // namespace mambo
