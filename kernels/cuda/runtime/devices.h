// Which CUDA devices there are, which one an engine takes, and what planning must know of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/engine.h"

namespace mambo::cuda {

// Every device that the driver lists, best first (usable, most SMs); those that cannot run the
// engine, or for which this program has no code, say why. Sets up none of them. Without a driver or
// a device: one entry that is not usable, with the reason. Never throws.
std::vector<ComputeDevice> cuda_devices();

struct DeviceFacts {
  int index = 0;  // CUDA's
  int sms = 0;
  int major = 0, minor = 0;      // compute capability
  std::size_t shared_bytes = 0;  // of a block at most, opted in
  std::string name;
};

// Throws DeviceError.
DeviceFacts device_facts(int index);
// The first of cuda_devices(): the usable one with the most SMs. Throws DeviceError with the reason
// when there is none.
DeviceFacts best_device();
// Asks the driver whether this program has code for the device, which must be the current one.
// Throws DeviceError in one sentence.
void need_code(const DeviceFacts& device);

}  // namespace mambo::cuda
