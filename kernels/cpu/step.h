// One stream, one step after the other: the inner loop of the instrument. No allocation, no lock.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/network.h"
#include "kernels/engine.h"

namespace mambo::cpu {

// memory: StatePlan::size floats, aligned. position: samples absorbed; advanced.
void advance(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
             std::span<const std::uint8_t> codes, const Selectivity* by_hand);
void generate(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
              const GenerateRequest& request);

// logits from the outermost residual stream left at plan.x[0].
void finish_logits(const Network& net, const StatePlan& plan, float* memory);

const char* instruction_set();  // "AVX-512", ...

// Subnormal numbers are flushed to zero while this lives: a state that decays would otherwise reach
// them in silence and slow every step down a hundredfold. Restores the thread's mode.
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  std::uint64_t saved_;
};

}  // namespace mambo::cpu
