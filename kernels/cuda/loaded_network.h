// A network on a device, and where a launch of its step kernels begins: what playing one stream and
// playing many share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/cuda/pack/by_hand_table.h"
#include "kernels/cuda/pack/device_network.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/runtime/check.h"
#include "kernels/cuda/runtime/devices.h"
#include "kernels/cuda/step/launch.h"
#include "kernels/engine.h"

namespace mambo::cuda {

struct LoadedNetwork {
  DeviceFacts device;
  StatePlan state_plan;
  ByHandTable by_hand;
  DeviceNetwork net;
  std::vector<std::uint64_t> strides;  // [tiers]
  std::vector<int> d_inner;            // [layers]

  // Uploads to the device, which must be the current one. Throws DeviceError.
  LoadedNetwork(const NetworkView& view, WeightStorage storage, DeviceFacts facts)
      : device(std::move(facts)),
        state_plan(view),
        by_hand(view, state_plan),
        net(view, state_plan, storage) {
    for (const TierView& t : view.tiers) strides.push_back(static_cast<std::uint64_t>(t.stride));
    for (const LayerView& l : view.layers) d_inner.push_back(view.tier_of(l).d_inner);
  }

  void use_device() const { MAMBO_CUDA(cudaSetDevice(device.index)); }

  // Floats of one layer's delta over a launch, at most.
  std::size_t row_floats() const {
    std::size_t most = 1;
    for (std::size_t i = 0; i < d_inner.size(); ++i) {
      const auto stride = static_cast<std::size_t>(stride_of(net.records().layers[i]));
      most = std::max(most, (kMaxSteps / stride + 1) * static_cast<std::size_t>(d_inner[i]));
    }
    return most;
  }

  std::uint64_t stride_of(const LayerDev& l) const {
    return strides[static_cast<std::size_t>(l.tier)];
  }
  // Steps of the layer in a launch of `steps` samples from `position`.
  int layer_steps(const LayerDev& l, std::uint64_t position, int steps) const {
    const std::uint64_t stride = stride_of(l);
    return static_cast<int>((position + static_cast<std::uint64_t>(steps)) / stride -
                            position / stride);
  }

  Launch launch_at(std::uint64_t position, int steps, bool drawing) const {
    Launch l{};
    l.net = net.records().view;
    l.steps = steps;
    l.drawing = drawing ? 1 : 0;
    for (std::size_t s = 0; s < strides.size(); ++s) {
      const std::uint64_t tier_step = position / strides[s];
      const auto pool = static_cast<std::uint64_t>(net.records().tiers[s].pool);
      const auto window = static_cast<std::uint64_t>(state_plan.K);
      l.tiers[s].phase = pool > 0 ? static_cast<std::uint32_t>(tier_step % pool) : 0;
      l.tiers[s].slot = static_cast<std::uint32_t>(tier_step % window);
    }
    return l;
  }
};

}  // namespace mambo::cuda
