// The CUDA engine behind the seam (kernels/engine.h).
#pragma once

#include <memory>
#include <vector>

#include "kernels/engine.h"

namespace mambo::cuda {

// Every device that the driver lists, best first (usable, most SMs); those that cannot run the
// engine, or for which this program has no code, say why. Sets up none of them. Without a driver or
// a device: one entry that is not usable, with the reason. Never throws.
std::vector<ComputeDevice> cuda_devices();

// Uploads to the best usable device. Throws DeviceError (no device, too little memory, a layer
// whose mixer is not s6).
std::unique_ptr<Engine> make_cuda_engine(const NetworkView& net, const EngineOptions& options);

}  // namespace mambo::cuda
