#include "kernels/backend.h"
#include "kernels/cpu/backend_cpu.h"

namespace mambo {

std::vector<ComputeDevice> compute_devices() { return {cpu::cpu_device()}; }

std::unique_ptr<Engine> make_engine(const NetworkView& net, const std::string& backend,
                                    const EngineOptions& options) {
  std::string there;
  for (const ComputeDevice& device : compute_devices()) {
    if (!device.usable) continue;
    if (backend == "auto" || backend == device.backend) {
      if (device.backend == "cpu") return cpu::make_cpu_engine(net, options);
    }
    there += (there.empty() ? "" : ", ") + device.backend;
  }
  throw Error("backend '" + backend + "' is not there: this build runs " + there +
              " on this machine (or auto)");
}

}  // namespace mambo
