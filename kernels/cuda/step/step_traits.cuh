// What a step kernel is compiled for, an axis each: how weights are stored, streams per CTA, the
// mechanism of exchange, what is exchanged, what is known of the shape, whether selectivity is
// played by hand, which mixers there are.
#pragma once

#include <type_traits>

#include "kernels/cuda/step/exchange_cluster.cuh"
#include "kernels/cuda/step/exchange_grid.cuh"
#include "kernels/cuda/step/mixer_s4d.cuh"
#include "kernels/cuda/step/mixer_s6.cuh"

namespace mambo::cuda {

// How the CTAs of a group share out the products of a layer.
enum class Split {
  rows,    // each has rows of every matrix, and results are all-gathered
  columns  // of x_proj and out_proj each has the columns of its own channels: an all-reduce
};

// Of the shape: nothing is known; a window of 4 and, of S6 layers, at most 16 states (padded to
// 16); that, and that there is one tier: what tiers inside need is then not compiled, so that more
// of a layer's code fits the instruction cache.
struct AnyShape {
  static constexpr bool kFixed = false, kFlat = false;
};
struct FixedShape {
  static constexpr bool kFixed = true, kFlat = false;
};
struct FlatShape {
  static constexpr bool kFixed = true, kFlat = true;
};

// By hand: a kernel of its own, since what a branch there costs the others was 2 to 4 % of a step
// and 10 % of a batch (measured on an H200).
template <class W, int NS, class ExchangeType, Split kSplitBy, class Shape, bool kPlaysByHand,
          StepMixer... Mixers>
struct StepTraits {
  using Weight = W;
  using Exchange = ExchangeType;
  static constexpr int kStreams = NS;            // per CTA
  static constexpr bool kByHand = kPlaysByHand;  // selectivity, of some streams at least
  static constexpr bool kColumns = kSplitBy == Split::columns;
  static constexpr bool kShared = Exchange::kShared;
  static constexpr bool kFixed = Shape::kFixed, kFlat = Shape::kFlat;
  // x also travels, or is kept, as halves with its sums of squares.
  static constexpr bool kHalves = kFlat || kColumns;
  template <class M>
  static constexpr bool kHas = (std::is_same_v<M, Mixers> || ...);

  static_assert(!kColumns || std::is_same_v<Exchange, ClusterExchange>);
  static_assert(!kShared || (NS == 1 && std::is_same_v<W, __half>));
  static_assert(NS == 1 || kFixed, "several streams per CTA are staged for a fixed shape");
};

}  // namespace mambo::cuda
