// The CPU behind the seam of backend.h.
#pragma once

#include <memory>
#include <string>

#include "kernels/engine.h"

namespace mambo::cpu {

// `notice` becomes a sentence where fewer threads can be had than `options` want.
std::unique_ptr<Engine> make_cpu_engine(const NetworkView& net, const EngineOptions& options,
                                        std::string& notice);
std::string describe_cpu_engine(const EngineOptions& options);  // its description()
ComputeDevice cpu_device();

}  // namespace mambo::cpu
