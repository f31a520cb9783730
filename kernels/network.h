// What a backend is given: shapes and views of the weights of one network, as plain data.
// The mathematics (blocks with a mixer each inside a causal U-Net) and the names follow Gu & Dao,
// arXiv 2312.00752, and Goel et al., arXiv 2202.09729. Widths and counts are in elements.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "kernels/mixers/s4d.h"
#include "kernels/mixers/s6.h"
#include "kernels/tensor_view.h"

namespace mambo {

// What the parameters of every mixer offer to code that treats all mixers alike. A_log: the
// logarithm of the rates at which states forget (of -Re A), [d_inner, states].
template <class V>
concept MixerParameters = requires(const V v) {
  { V::id } -> std::convertible_to<Mixer>;
  { v.states() } -> std::same_as<int>;
  { v.macs() } -> std::same_as<std::uint64_t>;
  { v.resting_delta() } -> std::same_as<std::vector<double>>;
  { v.A_log } -> std::convertible_to<TensorView>;
};

// The parameters of a layer's mixer; alternative i has id i.
using MixerView = std::variant<S6View, S4dView>;

template <class... V>
constexpr bool in_order_of_ids(std::type_identity<std::variant<V...>> /*type*/) {
  static_assert((MixerParameters<V> && ...));
  bool in_order = true;
  std::size_t i = 0;
  ((in_order = in_order && V::id == static_cast<Mixer>(i) && all_mixers.at(i).id == V::id, ++i),
   ...);
  return in_order;
}
static_assert(std::variant_size_v<MixerView> == all_mixers.size() &&
              in_order_of_ids(std::type_identity<MixerView>{}));

// One block (docs/model.md's `*`) but for its mixer: width d, d_inner = expand*d, K = d_conv.
struct BlockView {
  TensorView norm;           // [d]
  TensorView in_proj;        // [2*d_inner, d]: u rows first, then z rows
  TensorView in_proj_bias;   // [2*d_inner], or empty
  TensorView conv;           // [d_inner, K]; column K-1 multiplies the present step
  TensorView conv_bias;      // [d_inner], or empty
  TensorView D;              // [d_inner]: the mixer's skip, y += D u
  TensorView out_proj;       // [d, d_inner]
  TensorView out_proj_bias;  // [d], or empty
};

enum class Side : std::uint8_t { down, center, up };

// Layers stand in the order in which data flows: down.0.*, down.1.*, ..., center.*, ..., up.0.*.
struct LayerView {
  std::string name;  // as its tensors are named: "down.0.1", "center.2"
  int tier = 0;
  Side side = Side::center;
  BlockView w;
  MixerView params;

  Mixer mixer() const { return static_cast<Mixer>(params.index()); }
  // delta is a constant of each channel, and there are no B and C.
  bool time_invariant() const { return mixer_info(mixer()).time_invariant; }
  // R of an s6 layer; 0 where the mixer has no such projection.
  int dt_rank() const {
    const auto* s6 = std::get_if<S6View>(&params);
    return s6 != nullptr ? s6->rank : 0;
  }
  // Per channel; complex ones where MixerInfo::state_parts is 2. May differ from layer to layer.
  int states() const {
    return std::visit([](const auto& p) { return p.states(); }, params);
  }
};

// A tier steps once per `stride` samples.
struct TierShape {
  int width = 0;
  int d_inner = 0;
  int stride = 1;                    // product of pool over the outer tiers
  int pool = 0;                      // steps of this tier per step of the next; innermost: 0
  int down_begin = 0, down_end = 0;  // layers [begin, end); the innermost tier's blocks are `down`
  int up_begin = 0, up_end = 0;      // empty in the innermost tier
};

// The innermost tier has no pool tensors.
struct TierView : TierShape {
  TensorView down_pool;       // [width(s+1), pool*width]
  TensorView down_pool_bias;  // [width(s+1)]
  TensorView up_pool;         // [pool*width, width(s+1)], step-major
  TensorView up_pool_bias;    // [pool*width]
};

struct NetworkView {
  int vocab = 256;
  int d_state = 16;  // N of the s6 layers
  int d_conv = 4;    // K
  float norm_eps = 1e-5F;
  TensorView embed;               // [V, d]
  TensorView norm_f;              // [d]
  TensorView head;                // [V, d]
  TensorView head_bias;           // [V], or empty
  std::vector<TierView> tiers;    // outermost first
  std::vector<LayerView> layers;  // data-flow order

  const TierView& tier_of(const LayerView& l) const {
    return tiers[static_cast<std::size_t>(l.tier)];
  }
};

}  // namespace mambo
