// How one stream's step is shared out among the SMs of a device, ready to be launched. Decided
// once, when an engine is made.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/plan/candidate.h"
#include "kernels/cuda/runtime/memory.h"

namespace mambo::cuda {

class StepPlan {
 public:
  // Uploads the stages of a plan that can be to the current device. Throws DeviceError.
  explicit StepPlan(PlanCandidate plan);

  int together() const { return plan_.kernel.together; }
  double estimate_us() const { return plan_.estimate_us; }
  std::string text() const { return plan_.text(); }

  // Fills in what the plan decides; streams, steps and tiers are the caller's.
  void fill(Launch& launch) const;
  // For `groups` CTAs (single) or for one stream (cluster, grid; one launch at a time).
  // by_hand: of some stream selectivity is played by hand.
  void launch(const Launch& launch, int groups, bool by_hand, cudaStream_t stream) const;

  // Words that a stream played by a grid needs of its own: zeroed once.
  std::size_t ll_words() const { return plan_.ll.words * kReplicas; }
  // By how much Launch::seq must grow for a launch of so many steps.
  std::uint32_t exchanges(int steps) const {
    return plan_.ll.exchanges_per_step * static_cast<std::uint32_t>(steps + 1);
  }

 private:
  PlanCandidate plan_;
  StepKernels kernels_;
  DeviceBuffer<Role> roles_;
  DeviceBuffer<Resident> resident_;  // [stages][layers]
};

// `together` streams per CTA, one CTA per group of them. Throws PlanUnsuited with the reason, and
// DeviceError.
std::unique_ptr<StepPlan> single_plan(const DeviceNetwork& net, const DeviceFacts& device,
                                      int together = 1);
// The plan that suits the model and the device best (wanted is empty), or the one that is named:
// "single", "cluster" or "grid". Throws DeviceError when the device or the model cannot do it, with
// the reason.
std::unique_ptr<StepPlan> choose_plan(const DeviceNetwork& net, const DeviceFacts& device,
                                      const std::string& wanted);

}  // namespace mambo::cuda
