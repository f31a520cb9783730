// The controls' values at one sample, and how they move: what a chunk is drawn with.
//
// A ramp is a function of the sample's index alone: from the event's sample s to s + ramp in a
// straight line, looked up at the multiples of kRampGrid and held between them. Position 0 is the
// end of the clip, so the values do not depend on how the work is cut into chunks or blocks of a
// sound card: that is what makes a performance repeatable bit for bit.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "app/control/event.h"
#include "app/control/target.h"

namespace mambo {

inline constexpr std::uint64_t kRampGrid = 32;  // samples
inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// One thread. No call allocates but set_layers() and copies.
class Patch {
 public:
  Patch();  // the table's defaults

  // At event.at, which is not before the last position that advance() was called with. Values out
  // of range are clamped; what happens once and what is no control change nothing. A ramp of a
  // target is one ramp per layer, each from that layer's value.
  void apply(const ControlEvent& event);
  // To the values at this position. Positions may not go back.
  void advance(std::uint64_t position);
  // The first position after `position` where a value moves by itself; kNever: none does.
  std::uint64_t next_change(std::uint64_t position) const;
  // Values under way arrive at once: the run that they moved in is over.
  void settle();
  void set(ControlId id, const ControlValue& value);  // without a ramp
  void set(const SamplingParams& sampling);           // kSamplingControls, likewise

  const ControlValue& operator[](ControlId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  SamplingParams sampling() const;

  // ---- Of each layer: delta_scale to read ----
  // The layers of what plays from here on; before the first call there are none. Of the same layers
  // all values stay. Of others those go on that were set for all, or for a tier by its number, the
  // later one where both reach; what was set for one layer alone does not. Allocates.
  void set_layers(const LayerMap& layers);
  const LayerMap& layers() const { return map_; }
  double layer(ControlId id, int layer) const {
    return layers_[static_cast<std::size_t>(layer)].values[layer_value(id)];
  }
  // Where a ramp of this value ends; without one, the value.
  double layer_goal(ControlId id, int layer) const;
  // Counts up whenever a value or a goal of a layer changes; 0: none ever did.
  std::uint64_t layer_version() const { return layer_version_; }
  // The table's defaults for all layers, and for those of later networks.
  void reset_layers();
  // f(ControlId, target, value): in as few words as events can say it, the values of layers that
  // are not at their defaults.
  template <class F>
  void say_layers(F f) const;

 private:
  struct Ramp {
    double from = 0, to = 0;
    std::uint64_t start = 0;
    std::uint32_t length = 0;  // 0: none

    bool arrived_by(std::uint64_t grid) const { return grid - start >= length; }
    double at(std::uint64_t grid) const {
      const double share = static_cast<double>(grid - start) / static_cast<double>(length);
      return from + share * (to - from);
    }
  };
  struct Layer {
    std::array<double, kLayerValues> values{};
    std::array<Ramp, kLayerValues> ramps{};
  };
  // What was set for all, and since then for a tier: for the layers of another network.
  struct Said {
    double all = 0;
    std::array<std::optional<double>, kMostTiers> tiers{};
  };
  void apply_to_layers(const ControlEvent& event);
  void set_layer(Layer& layer, std::size_t value, double to);  // without a ramp
  void advance_layers(std::uint64_t grid);
  bool same_over(std::int16_t target, ControlId id, double& value) const;
  std::array<ControlValue, kControls> values_;
  std::array<Ramp, kControls> ramps_;
  int moving_ = 0;  // ramps that have not arrived
  LayerMap map_;
  std::vector<Layer> layers_;
  std::array<Said, kLayerValues> said_;
  int layers_moving_ = 0;  // of moving_, those of layers
  std::uint64_t layer_version_ = 0;
};

template <class F>
void Patch::say_layers(F f) const {
  for (std::size_t v = 0; v < kLayerValues; ++v) {
    const ControlId id = layer_value_id(v);
    const double normal = control_spec(id).normal.real;
    double value = normal;
    if (same_over(kAllTargets, id, value)) {
      if (value != normal) f(id, kAllTargets, value);
      continue;
    }
    for (int tier = 0; tier < map_.tiers(); ++tier) {
      const bool same = same_over(tier_target(tier), id, value);
      if (same && value != normal) f(id, tier_target(tier), value);
      for (int l = 0; l < map_.size() && !same; ++l) {
        if (map_.tier(l) == tier && layer(id, l) != normal) f(id, map_.target(l), layer(id, l));
      }
    }
  }
}

}  // namespace mambo
