// Which devices there are, and why those that cannot be used cannot.
#include "kernels/cuda/runtime/devices.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/cuda/runtime/architectures.h"
#include "kernels/cuda/runtime/check.h"

#ifndef MAMBO_CUDA_ARCHITECTURES
#define MAMBO_CUDA_ARCHITECTURES ""
#endif

namespace mambo::cuda {
namespace {

// Compiled for the same architectures as every other kernel: whether the driver can load it tells
// whether this program has code for a device.
__global__ void probe() {}

constexpr int kLeastMajor = 7;  // Turing: the tensor cores' product of halves
constexpr int kLeastMinor = 5;

struct Candidate {
  ComputeDevice shown;
  int index = -1;
  int sms = 0;
};

// name: empty where there is no device at all, which is mentioned only when a GPU was asked for.
Candidate none(const std::string& reason, const char* name = "") {
  Candidate c;
  c.shown.backend = Backend::cuda;
  c.shown.name = name;
  c.shown.usable = false;
  c.shown.reason = reason;
  return c;
}

std::string no_code(int major, int minor) {
  return "this program is built for " MAMBO_CUDA_ARCHITECTURES
         " and has no code for compute capability " +
         std::to_string(major) + "." + std::to_string(minor);
}

std::string reason_against(const cudaDeviceProp& p) {
  if (p.major * 10 + p.minor < kLeastMajor * 10 + kLeastMinor)
    return "expected compute capability 7.5 or later, found " + std::to_string(p.major) + "." +
           std::to_string(p.minor);
  if (!has_code(MAMBO_CUDA_ARCHITECTURES, p.major, p.minor)) return no_code(p.major, p.minor);
  return "";
}

std::string too_old() {
  int driver = 0;
  int runtime = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  const auto version = [](int v) {
    return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
  };
  return driver == 0 ? ""
                     : "the NVIDIA driver is too old: expected one for CUDA " + version(runtime) +
                           ", found CUDA " + version(driver);
}

// The best first: usable ones, those with most SMs, in CUDA's order. Never empty.
std::vector<Candidate> candidates() {
  int count = 0;
  const cudaError_t e = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  if (e == cudaErrorInsufficientDriver) {
    const std::string old = too_old();
    return {old.empty() ? none("no NVIDIA driver is installed") : none(old, "the GPU")};
  }
  if (e != cudaSuccess && e != cudaErrorNoDevice) return {none(cudaGetErrorString(e), "the GPU")};
  if (count == 0) return {none("no CUDA device was found")};
  std::vector<Candidate> all;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    if (const cudaError_t refused = cudaGetDeviceProperties(&p, i); refused != cudaSuccess) {
      (void)cudaGetLastError();
      all.push_back(none(cudaGetErrorString(refused), "the GPU"));
      continue;
    }
    Candidate c;
    c.index = i;
    c.sms = p.multiProcessorCount;
    ComputeDevice& d = c.shown;
    d.backend = Backend::cuda;
    d.name = p.name;
    d.capabilities = "sm_" + std::to_string(p.major) + std::to_string(p.minor) + ", " +
                     std::to_string(p.multiProcessorCount) + " SMs";
    d.memory_bytes = p.totalGlobalMem;
    d.reason = reason_against(p);
    d.usable = d.reason.empty();
    all.push_back(c);
  }
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return a.shown.usable != b.shown.usable ? a.shown.usable : a.sms > b.sms;
  });
  return all;
}

}  // namespace

std::vector<ComputeDevice> cuda_devices() {
  std::vector<ComputeDevice> devices;
  for (const Candidate& c : candidates()) devices.push_back(c.shown);
  return devices;
}

DeviceFacts device_facts(int index) {
  cudaDeviceProp p{};
  MAMBO_CUDA(cudaGetDeviceProperties(&p, index));
  DeviceFacts f;
  f.index = index;
  f.sms = p.multiProcessorCount;
  f.major = p.major;
  f.minor = p.minor;
  f.shared_bytes = p.sharedMemPerBlockOptin;
  f.name = p.name;
  return f;
}

DeviceFacts best_device() {
  const Candidate best = candidates().front();
  if (!best.shown.usable)
    throw DeviceError((best.shown.name.empty() ? "" : best.shown.name + ": ") + best.shown.reason);
  return device_facts(best.index);
}

void need_code(const DeviceFacts& device) {
  cudaFuncAttributes attributes{};
  const cudaError_t e = cudaFuncGetAttributes(&attributes, probe);
  (void)cudaGetLastError();
  switch (e) {
    case cudaSuccess:
      return;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidPtx:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
      throw DeviceError(no_code(device.major, device.minor) + " (" + cudaGetErrorString(e) + ")");
    default:
      throw DeviceError(std::string("CUDA: ") + cudaGetErrorString(e));
  }
}

}  // namespace mambo::cuda
