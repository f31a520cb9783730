// A stream's state between the device's layout (StatePlan) and the one that every backend reads and
// writes (StateLayout), by way of one pinned buffer. Any thread; one conversion at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "kernels/cuda/cuda_state.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"
#include "kernels/state_layout.h"

namespace mambo::cuda {

class StateConversion {
 public:
  StateConversion(const StatePlan& device, const StateLayout& external)
      : device_(device), external_(external), staging_(device.size) {}

  // external: [external.size]. No allocation.
  void read(const CudaState& s, std::span<float> external);
  void write(CudaState& s, std::span<const float> external, std::uint64_t position);
  // For small copies that a caller waits for.
  cudaStream_t stream() const { return stream_.get(); }

 private:
  // Visits every run of n floats: (place in StateLayout, place in the stream's memory, n).
  template <class F>
  void each_run(std::uint64_t position, F f) const;

  const StatePlan& device_;
  const StateLayout& external_;
  std::mutex mutex_;
  PinnedBuffer<float> staging_;
  StreamHandle stream_{Urgency::playing};
};

}  // namespace mambo::cuda
