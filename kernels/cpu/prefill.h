// Absorbing many samples at once: matrix products from packed weights (gemm.h), convolution and
// scan along time in parallel. Chunked: memory does not depend on the length, and a chunk may begin
// anywhere.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/network.h"
#include "kernels/engine.h"

namespace mambo::cpu {

void prefill(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
             std::span<const std::uint8_t> codes, PrefillSink* sink, const Selectivity* by_hand,
             int threads);

}  // namespace mambo::cpu
