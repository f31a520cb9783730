// What a prefill's sink wants to see of a layer, kept until the chunk is over: the sink is told on
// the calling thread, the layer's tiles are computed on all.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/network.h"

namespace mambo::cpu {

class Trace {
 public:
  // Room for so many steps of the layer, which must outlive it.
  Trace(const Layer& layer, std::size_t steps);
  // Rows [at, at + n). delta [n][dp], dbc [n][xp]; of a time-invariant layer neither is looked at.
  // Any thread, for rows of its own.
  void keep(int at, int n, const float* delta, const float* dbc);
  // first: index of row 0 in steps of the layer's tier.
  void tell(PrefillSink& sink, int index, std::uint64_t first, int rows) const;

 private:
  const Layer& layer_;
  std::vector<float> delta_, B_, C_;  // [steps][d_inner], [steps][N] twice
};

}  // namespace mambo::cpu
