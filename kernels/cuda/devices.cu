// Which devices there are, and what is said of those that cannot be used.
#include "kernels/cuda/backend_cuda.h"
#include "kernels/cuda/plan.h"

#include <algorithm>

namespace mambo::cuda {
namespace {

constexpr int kLeastMajor = 7;  // Turing: the tensor cores' product of halves
constexpr int kLeastMinor = 5;

bool usable(int major, int minor) { return major * 10 + minor >= kLeastMajor * 10 + kLeastMinor; }

}  // namespace

std::vector<ComputeDevice> cuda_devices() {
  std::vector<ComputeDevice> devices;
  // name: empty where there is no device at all, which is nothing to talk about unasked.
  const auto none = [&devices](const std::string& reason, const char* name = "") {
    ComputeDevice d;
    d.backend = "cuda";
    d.name = name;
    d.usable = false;
    d.reason = reason;
    devices.push_back(d);
  };
  int count = 0;
  const cudaError_t e = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  if (e == cudaErrorInsufficientDriver) {
    int driver = 0;
    int runtime = 0;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    const auto version = [](int v) {
      return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
    };
    none(driver == 0 ? "no NVIDIA driver is installed"
                     : "the NVIDIA driver is too old: expected one for CUDA " + version(runtime) +
                           ", found CUDA " + version(driver),
         driver == 0 ? "" : "the GPU");
    return devices;
  }
  if (e != cudaSuccess || count == 0) {
    if (e == cudaSuccess || e == cudaErrorNoDevice)
      none("no CUDA device was found");
    else
      none(cudaGetErrorString(e), "the GPU");
    return devices;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) {
      none(cudaGetErrorString(cudaGetLastError()), "the GPU");
      continue;
    }
    ComputeDevice d;
    d.backend = "cuda";
    d.name = p.name;
    d.capabilities = "sm_" + std::to_string(p.major) + std::to_string(p.minor) + ", " +
                     std::to_string(p.multiProcessorCount) + " SMs";
    d.memory_bytes = p.totalGlobalMem;
    if (!usable(p.major, p.minor)) {
      d.usable = false;
      d.reason = "expected compute capability 7.5 or later, found " + std::to_string(p.major) +
                 "." + std::to_string(p.minor);
    }
    devices.push_back(d);
  }
  std::stable_sort(devices.begin(), devices.end(),
                   [](const auto& a, const auto& b) { return a.usable && !b.usable; });
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
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    (void)cudaGetLastError();
    throw DeviceError(cuda_devices().front().reason);
  }
  DeviceFacts best;
  for (int i = 0; i < count; ++i) {
    const DeviceFacts f = device_facts(i);
    if (usable(f.major, f.minor) && f.sms > best.sms) best = f;
  }
  if (best.sms == 0) throw DeviceError("no usable CUDA device was found");
  return best;
}

}  // namespace mambo::cuda
