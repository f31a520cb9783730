// How make_engine chooses, apart from what there is to choose from: for backends.cpp and its test.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>

#include "kernels/engine.h"

namespace mambo {

// "cpu, cuda": the backends of the usable devices.
std::string usable_backends(std::span<const ComputeDevice> devices);
// Why nothing of the backend can be used, in a clause.
std::string reason_against(std::span<const ComputeDevice> devices, const std::string& backend);

// make(device) gives what is wanted of a device, an engine say, or throws DeviceError. Of each
// backend only the best device is tried. See make_engine for the rest.
template <class Make>
auto choose(std::span<const ComputeDevice> devices, const std::string& backend, std::string* notice,
            const Make& make) {
  std::string remarks;
  const auto remark = [&](const std::string& text) {
    remarks += (remarks.empty() ? "" : "; ") + text;
    if (notice != nullptr) *notice = remarks;
  };
  if (notice != nullptr) notice->clear();
  if (backend != "auto") {
    const auto d = std::find_if(devices.begin(), devices.end(), [&](const ComputeDevice& x) {
      return x.usable && backend_name(x.backend) == backend;
    });
    if (d != devices.end()) return make(*d);
    throw Error("backend '" + backend + "' cannot be used: " + reason_against(devices, backend) +
                " (usable here: " + usable_backends(devices) + ")");
  }
  // A device that something keeps from being used is worth a word; that there is none is not.
  for (const ComputeDevice& d : devices) {
    if (!d.usable && !d.name.empty()) remark(d.name + " cannot be used: " + d.reason);
  }
  std::optional<Backend> tried;
  for (const ComputeDevice& d : devices) {
    if (!d.usable || d.backend == tried) continue;
    tried = d.backend;
    try {
      auto made = make(d);
      if (!remarks.empty()) remark("computing on the " + d.name);
      return made;
    } catch (const DeviceError& e) {
      remark(d.name + " refused: " + e.what());
    }
  }
  throw Error(remarks.empty() ? "nothing on this machine can compute: " +
                                    reason_against(devices, backend_name(Backend::cuda)) + "; " +
                                    reason_against(devices, backend_name(Backend::cpu))
                              : remarks);
}

}  // namespace mambo
