// Plays one stream by the plan that is the fastest for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/cuda/cuda_state.h"
#include "kernels/cuda/loaded_network.h"
#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/tap_reduction.h"

namespace mambo::cuda {

class SingleStream {
 public:
  SingleStream(const LoadedNetwork& network, std::unique_ptr<StepPlan> plan)
      : network_(network), plan_(std::move(plan)), tap_(network) {}

  const StepPlan& plan() const { return *plan_; }
  // Allocates the first time that a state is played by itself.
  StreamBuffers& buffers(CudaState& s) const;
  // Engine::step and generate. Allocate nothing where the state has its buffers.
  void step(CudaState& s, std::span<const std::uint8_t> codes, const Selectivity* by_hand) const;
  void generate(CudaState& s, const GenerateRequest& r) const;

 private:
  // What is played by hand, on its way to the device on the buffers' stream; null: nothing.
  const float* table(StreamBuffers& buffers, const Selectivity* by_hand) const;
  // Launches buffers.args[0] for `steps` steps.
  void launch(CudaState& s, StreamBuffers& buffers, int steps, bool drawing) const;
  static void finish(CudaState& s, const StreamBuffers& buffers);

  const LoadedNetwork& network_;
  std::unique_ptr<StepPlan> plan_;
  TapReduction tap_;
};

}  // namespace mambo::cuda
