// Which layers a change is for: all, those of a tier, or one by the name of its tensors.
//
// A target is a number that means the same for every network, so that events hold no text and a
// performance is read without its model. Whether a network has such layers, LayerMap knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/control/control.h"
#include "kernels/network.h"

namespace mambo {

inline constexpr std::int16_t kAllTargets = -1;
inline constexpr int kMostTiers = 8;

constexpr std::int16_t tier_target(int tier) { return static_cast<std::int16_t>(-2 - tier); }
// The tier that a target names, 0 the outermost; negative: it names none.
constexpr int tier_of_target(std::int16_t target) { return -2 - target; }

// "all"; "tier0", the outermost, to "tier7"; a layer as "down.0.1", "center.2", "up.0.0".
std::string target_text(std::int16_t target);
std::optional<std::int16_t> parse_target(std::string_view text);  // of no other text
inline constexpr const char* target_words = "all, tier0 to tier7, or a layer as in down.0.1";

// The layers of a network as targets and controls see them. Constant; any thread.
class LayerMap {
 public:
  LayerMap() = default;  // of no layers
  // Allocates. Layers that have no name of the form above are reached by `all` and their tier.
  explicit LayerMap(const NetworkView& net);

  int size() const { return static_cast<int>(layers_.size()); }
  int tiers() const { return tiers_; }
  // The target that is this layer alone; where it has none, kAllTargets.
  std::int16_t target(int layer) const { return at(layer).target; }
  int tier(int layer) const { return at(layer).tier; }
  // Delta, B and C follow its input: s6.
  bool selects(int layer) const { return at(layer).selects; }

  // Whether the control does anything to the layer: to a time-invariant one only `read` and
  // `forget` do.
  bool takes(ControlId id, int layer) const {
    return at(layer).selects || id == ControlId::read || id == ControlId::forget;
  }
  // Whether the target reaches the layer, and the control does anything there.
  bool reaches(std::int16_t target, ControlId id, int layer) const {
    const Layer& l = at(layer);
    const bool meant =
        target == kAllTargets || target == l.target || tier_of_target(target) == l.tier;
    return meant && takes(id, layer);
  }
  bool reaches_any(std::int16_t target, ControlId id) const;
  // What is wrong with a target that reaches no layer, as "hold_B.tier7: expected ..., found
  // ..."; else empty. Allocates.
  std::string why_not(std::int16_t target, ControlId id) const;
  // "tier0 to tier2, down.0.0 to down.0.3, center.0": what there is. Allocates.
  std::string words() const;

  bool operator==(const LayerMap&) const = default;

 private:
  struct Layer {
    std::int16_t target = kAllTargets;
    std::int16_t tier = 0;
    bool selects = true;
    bool operator==(const Layer&) const = default;
  };
  const Layer& at(int layer) const { return layers_[static_cast<std::size_t>(layer)]; }

  std::vector<Layer> layers_;
  int tiers_ = 0;
};

}  // namespace mambo
