// The CUDA engine behind the seam (kernels/engine.h).
#pragma once

#include <memory>

#include "kernels/cuda/runtime/devices.h"  // cuda_devices()
#include "kernels/engine.h"

namespace mambo::cuda {

// Uploads to the best usable device. Throws DeviceError (no device, too little memory, more states
// per channel than the kernels hold, a plan that suits neither).
std::unique_ptr<Engine> make_cuda_engine(const NetworkView& net, const EngineOptions& options);

}  // namespace mambo::cuda
