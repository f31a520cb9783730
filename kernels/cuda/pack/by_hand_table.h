// Selectivity by hand (kernels/selectivity.h) as kernels read it: a table of floats per stream,
// with a part per layer, of X' = gain X + offset:
//   S6   gain of delta, 3 floats of padding; offset of delta [dp]; of x_proj's rows gain [xp],
//   offset
//        [xp]: 1 and 0 for those that make delta, B's and C's for theirs
//   S4D  read, 3 floats of padding
// A layer at its defaults has gain 1 and offset 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cuda/plan/state_plan.h"
#include "kernels/network.h"
#include "kernels/selectivity.h"

namespace mambo::cuda {

constexpr int kByHandHead = 4;  // floats before a layer's offsets of delta

class ByHandTable {
 public:
  ByHandTable(const NetworkView& net, const StatePlan& plan);

  std::size_t floats() const { return floats_; }
  // Where the layer's part begins, and in it what is added to B and to C of an S6 layer, [np] each.
  std::uint32_t at(std::size_t layer) const { return layers_[layer].at; }
  std::size_t B_offset(std::size_t layer) const;
  std::size_t C_offset(std::size_t layer) const;
  // out: floats() of them. Allocates nothing.
  void write(const Selectivity& by_hand, std::span<float> out) const;

 private:
  struct Layer {
    std::uint32_t at;
    bool selects;
    int dp, rp, np;
    int xp() const { return rp + 2 * np; }
  };
  std::vector<Layer> layers_;
  std::size_t floats_ = 0;
};

}  // namespace mambo::cuda
