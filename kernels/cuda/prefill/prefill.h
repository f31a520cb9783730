// Absorbing a clip on the device: the whole network over stretches of time, parallel along time.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "kernels/cuda/pack/by_hand_table.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/engine.h"

namespace mambo::cuda {

// The weights as prefill wants them, on the device that was current when it was made; shared by any
// number of threads.
class Prefill {
 public:
  // Uploads. Throws DeviceError. chunk: samples at a time, at most; 0: as many as suit.
  Prefill(const NetworkView& net, const StatePlan& plan, const ByHandTable& table,
          WeightStorage storage, int chunk = 0);
  ~Prefill();
  Prefill(const Prefill&) = delete;
  Prefill& operator=(const Prefill&) = delete;

  std::size_t weight_bytes() const;

  // Absorbs codes into `state` (device memory, plan.size floats) that has absorbed `position`
  // samples before, and leaves the exact streaming state, logits included. May be cut anywhere.
  // Works on a stream of its own, for which `wait` is called before the state is touched; returns,
  // also by an exception, when all of its work is done. Allocates scratch bounded independently of
  // the length. Calls the sink on the calling thread, in order. Throws Cancelled when the sink says
  // so and DeviceError; the state is then neither old nor new.
  void run(float* state, std::uint64_t position, std::span<const std::uint8_t> codes,
           PrefillSink* sink, const Selectivity* by_hand,
           const std::function<void(cudaStream_t)>& wait) const;

 private:
  void warm_up(const NetworkView& net) const;

  struct Shared;  // the weights, and workspaces for calls
  std::unique_ptr<Shared> shared_;
};

}  // namespace mambo::cuda
