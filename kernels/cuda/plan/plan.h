// How one stream's step is shared out among the SMs of a device: which kernel, how many CTAs, which
// layers run where, what stands in shared memory. Decided once, when an engine is made.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/runtime/devices.h"
#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

enum class Shape : std::uint8_t { alone, cluster, grid };

class StepPlan {
 public:
  // `together`: streams a CTA (alone only). Throws DeviceError when the device or the model cannot
  // do it, with the reason.
  StepPlan(const DeviceNetwork& net, const DeviceFacts& device, Shape shape, int together = 1);

  Shape shape() const { return shape_; }
  int ctas() const { return ctas_; }
  int links() const { return links_; }
  int together() const { return together_; }
  // Microseconds a sample by a simple model of the floors (docs/performance.md); for choosing.
  double estimate_us() const { return estimate_us_; }
  std::string text() const;  // "a chain of 2 SMs and a team of 8 beside it"

  // Fills in what the plan decides; streams, steps and tiers are the caller's.
  void fill(Launch& launch) const;
  // For `groups` CTAs (alone) or for one stream (cluster, grid; one launch at a time).
  void launch(const Launch& launch, int groups, cudaStream_t stream) const;

 private:
  struct Builder;
  Shape shape_;
  int together_;
  WeightStorage storage_;
  int ctas_ = 1, links_ = 0;
  Blocks blocks_;
  bool flat_ = false;  // one tier of usual selective blocks: what the flat kernels are made for
  ClusterKind kind_ = ClusterKind::group;
  std::size_t shared_bytes_ = 0;
  double estimate_us_ = 0;
  DeviceBuffer<Role> roles_;
  DeviceBuffer<Resident> resident_;
  int n_roles_ = 0;
  std::uint32_t mail_at_[kMailKinds] = {};
  std::size_t mail_words_ = 0;
  std::uint32_t exchanges_a_step_ = 0;

 public:
  // What a stream that is played by a grid needs of its own: zeroed once.
  std::size_t mail_words() const { return mail_words_ * kMailCopies; }
  // By how much Launch::seq must grow for a launch of so many steps.
  std::uint32_t exchanges(int steps) const {
    return exchanges_a_step_ * static_cast<std::uint32_t>(steps + 1);
  }
};

// The plan that suits the model and the device best, or the one that is named.
std::unique_ptr<StepPlan> choose_plan(const DeviceNetwork& net, const DeviceFacts& device,
                                      const std::string& wanted);

}  // namespace mambo::cuda
