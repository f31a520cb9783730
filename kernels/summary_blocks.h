// Which steps of a tier fall into a block of samples (PrefillSink::summaries): a step belongs to
// the sample that completes it.
#pragma once

#include <cstdint>

namespace mambo {

struct SummaryBlocks {
  std::uint64_t samples = 1;  // of a block
  std::uint64_t stride = 1;   // samples of a step

  constexpr std::uint64_t block_of(std::uint64_t step) const {
    return ((step + 1) * stride - 1) / samples;
  }
  // Steps [begin(block), begin(block + 1)).
  constexpr std::uint64_t begin(std::uint64_t block) const { return block * samples / stride; }
};

}  // namespace mambo
