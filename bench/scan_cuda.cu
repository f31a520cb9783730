#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "bench/scan.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/prefill/prefill_math.cuh"
#include "kernels/cuda/prefill/scan_s6.h"
#include "kernels/cuda/runtime/memory.h"

namespace mambo::cuda {
namespace {

using namespace prefill_math;

constexpr int kWarmUp = 3;
constexpr int kRuns = 25;
constexpr std::size_t kBeyondCache = std::size_t{192} << 20U;

// One input of a run: `n` numbers spread evenly over [low, high], or, for `log`, their logarithms.
template <class T>
__global__ void spread_kernel(T* out, std::size_t n, unsigned seed, float low, float high,
                              bool log) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += step) {
    auto x = static_cast<unsigned>(i) * 0x9E3779B9U + seed * 0x85EBCA6BU;
    x = (x ^ (x >> 16)) * 0x7FEB352DU;
    x = (x ^ (x >> 15)) * 0x846CA68BU;
    x ^= x >> 16;
    const float u = static_cast<float>(x >> 8) * 0x1p-24F;
    store1(out + i, log ? low * exp2f(u * log2f(high / low)) : low + u * (high - low));
  }
}

template <class T>
DeviceBuffer<T> spread(std::size_t n, unsigned seed, float low, float high, bool log = false) {
  DeviceBuffer<T> out(n);
  spread_kernel<T><<<1024, 256>>>(out.data(), n, seed, low, high, log);
  MAMBO_CUDA(cudaGetLastError());
  return out;
}

struct Event {
  cudaEvent_t event = nullptr;
  Event() { MAMBO_CUDA(cudaEventCreate(&event)); }
  ~Event() { log_failure(cudaEventDestroy(event), "cudaEventDestroy"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
};

template <class T>
struct Inputs {
  DeviceBuffer<T> u, z, y;
  DeviceBuffer<float> delta, bc;
};

template <class T>
double median_seconds(int d_inner, int d_state, std::int64_t length, float least, float most) {
  int device = 0;
  int sms = 1;
  MAMBO_CUDA(cudaGetDevice(&device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
  const int dp = padded(d_inner, 32);
  const int states = scan_states(d_state);
  const std::size_t n = static_cast<std::size_t>(length) * static_cast<std::size_t>(dp);
  const std::size_t bc = static_cast<std::size_t>(length) * static_cast<std::size_t>(2 * states);

  std::vector<float> A(static_cast<std::size_t>(states * dp), kScanPaddedA);
  for (int s = 0; s < d_state; ++s)
    std::fill_n(A.begin() + static_cast<std::ptrdiff_t>(s) * dp, d_inner,
                -static_cast<float>(s + 1) * 1.44269504F);
  const DeviceBuffer<float> A_device(A);
  const DeviceBuffer<float> D = spread<float>(static_cast<std::size_t>(dp), 1, 0.5F, 1.5F);
  const DeviceBuffer<float> scratch(s6_scan_scratch(dp, states, sms));
  const int np = padded(d_state, 16);
  const auto h =
      spread<float>(static_cast<std::size_t>(np) * static_cast<std::size_t>(dp), 2, -1, 1);

  const std::size_t bytes = n * (3 * sizeof(T) + 4) + bc * 4;
  std::vector<Inputs<T>> sets(std::max<std::size_t>(1, (kBeyondCache + bytes - 1) / bytes));
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto seed = static_cast<unsigned>(8 * i);
    sets[i].u = spread<T>(n, seed + 3, -1, 1);
    sets[i].z = spread<T>(n, seed + 4, -2, 2);
    sets[i].y = DeviceBuffer<T>(n);
    sets[i].delta = spread<float>(n, seed + 5, least, most, true);
    sets[i].bc = spread<float>(bc, seed + 6, -1, 1);
  }
  const Event begin;
  const Event end;
  std::vector<double> seconds;
  for (int run = 0; run < kWarmUp + kRuns; ++run) {
    const Inputs<T>& in = sets[static_cast<std::size_t>(run) % sets.size()];
    S6ScanArgs<T> a;
    a.u = in.u.data();
    a.delta = in.delta.data();
    a.B = in.bc.data();
    a.C = in.bc.data() + states;
    a.z = in.z.data();
    a.y = in.y.data();
    a.A = A_device.data();
    a.D = D.data();
    a.h = h.data();
    a.ends = scratch.data();
    a.u_row = a.z_row = a.y_row = a.dp = dp;
    a.bc_row = 2 * states;
    a.np = np;
    a.states = states;
    a.length = static_cast<int>(length);
    a.sms = sms;
    MAMBO_CUDA(cudaEventRecord(begin.event, nullptr));
    scan(a, nullptr);
    MAMBO_CUDA(cudaEventRecord(end.event, nullptr));
    MAMBO_CUDA(cudaEventSynchronize(end.event));
    float ms = 0;
    MAMBO_CUDA(cudaEventElapsedTime(&ms, begin.event, end.event));
    if (run >= kWarmUp) seconds.push_back(1e-3 * static_cast<double>(ms));
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRuns / 2, seconds.end());
  return seconds[kRuns / 2];
}

}  // namespace
}  // namespace mambo::cuda

namespace mambo {

CudaScanTimes bench_scan_cuda(int d_inner, int d_state, std::int64_t length, bool half) {
  if (d_state > cuda::kMostStates)
    throw DeviceError("d_state: expected at most " + std::to_string(cuda::kMostStates) +
                      " states a channel, found " + std::to_string(d_state));
  int device = 0;
  MAMBO_CUDA(cudaGetDevice(&device));
  cudaDeviceProp properties{};
  MAMBO_CUDA(cudaGetDeviceProperties(&properties, device));
  CudaScanTimes times;
  times.device = properties.name;
  times.bytes = static_cast<double>(length) *
                (static_cast<double>(d_inner) * (half ? 10.0 : 16.0) + 8.0 * d_state);
  times.seconds_median = half ? cuda::median_seconds<__half>(d_inner, d_state, length, 1e-3F, 1e-1F)
                              : cuda::median_seconds<float>(d_inner, d_state, length, 1e-3F, 1e-1F);
  return times;
}

}  // namespace mambo
