// Selectivity by hand: how far a layer's delta, B and C follow the input, or stand still.
//
// Gu & Dao (arXiv 2312.00752, section 3) make S4 selective by letting delta, B and C be functions
// of the input. Here each can be moved back towards a constant, its mean over the clip that was
// absorbed, so that a network is played anywhere between S6 and S4. Per S6 layer, of what the
// network says (X) and the mean (X_mean: delta per channel, B and C per state):
//
//   delta' = s ((1 - m) delta + m delta_mean)     s: delta_scale, m: hold_delta; after softplus
//   B'     = (1 - m) B + m B_mean                 m: hold_B
//   C'     = g ((1 - m) C + m C_mean)             m: hold_C, g: read
//
// A time-invariant layer has `read` alone: y = g C h + D u.
//
// An engine computes all of them as X' = gain X + offset. At the defaults it computes nothing: the
// samples are those of a call without a Selectivity, bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/network.h"
#include "kernels/state_layout.h"

namespace mambo {

// Of one layer, within one call of an engine. Ranges: app/control/control.h; any finite value
// computes.
struct LayerSelectivity {
  float delta_scale = 1;  // 0: nothing decays and nothing is written
  float hold_delta = 0, hold_B = 0, hold_C = 0;
  float read = 1;

  bool operator==(const LayerSelectivity&) const = default;
};

// Means over the steps of a stretch of sound; of a time-invariant layer empty.
struct SelectionMeans {
  struct Layer {
    std::vector<float> delta;  // [d_inner]
    std::vector<float> B, C;   // [N]
    bool operator==(const Layer&) const = default;
  };
  std::vector<Layer> layers;  // data-flow order

  bool empty() const { return layers.empty(); }
  bool operator==(const SelectionMeans&) const = default;
};

// Sums of delta, B and C over steps, in the order of the steps and in double, so that they do not
// depend on how the work was cut or shared out. Filled by Engine::prefill through
// PrefillSink::selection_sums(), over any number of calls.
class SelectionSums {
 public:
  struct Layer {
    std::vector<double> delta, B, C;  // as SelectionMeans
    std::uint64_t steps = 0;
  };
  explicit SelectionSums(const NetworkView& net);

  std::vector<Layer>& layers() { return layers_; }
  // Empty where a layer that selects has made no step yet.
  SelectionMeans means() const;

 private:
  std::vector<Layer> layers_;
};

// What calls of an engine compute with: all layers of one network. One thread; set() allocates
// nothing.
class Selectivity {
 public:
  // As an engine reads it. `off`: nothing to compute.
  struct Layer {
    bool off = true;
    float delta_gain = 1, B_gain = 1, C_gain = 1;
    float read = 1;  // of a time-invariant layer
    // [d_inner], [N], [N], each followed by zeros up to a multiple of 16.
    std::vector<float> delta_offset, B_offset, C_offset;
  };

  explicit Selectivity(const StateLayout& layout);

  // Of this network, or empty: a hold then moves towards nothing, and is taken as 0.
  void set_means(const SelectionMeans& means);
  bool has_means() const { return !means_.empty(); }
  const SelectionMeans& means() const { return means_; }

  // hold_* and delta_scale of a time-invariant layer are ignored.
  void set(int layer, const LayerSelectivity& by_hand);
  void set_all(const LayerSelectivity& by_hand);
  const LayerSelectivity& of(int layer) const { return values_[static_cast<std::size_t>(layer)]; }

  bool off() const { return on_ == 0; }  // every layer is at its defaults
  std::span<const Layer> layers() const { return layers_; }
  // Counts up with every change: an engine that keeps a copy elsewhere compares it.
  std::uint64_t version() const { return version_; }

 private:
  void update(std::size_t layer);

  std::vector<LayerSelectivity> values_;
  std::vector<Layer> layers_;
  std::vector<bool> selects_;
  SelectionMeans means_;
  int on_ = 0;  // layers that are not off
  std::uint64_t version_ = 0;
};

}  // namespace mambo
