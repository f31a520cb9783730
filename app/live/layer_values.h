// The values of the layers' controls in the program that plays, to be read while they move.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "app/control/patch.h"
#include "app/control/target.h"

namespace mambo {

// One thread writes, any thread reads; wait-free, and each value by itself. Of one program: it
// lives as long as who reads it wants.
class LayerValues {
 public:
  explicit LayerValues(const LayerMap& layers)
      : layers_(layers),
        values_(std::make_unique<Layer[]>(static_cast<std::size_t>(layers.size()))) {}

  const LayerMap& layers() const { return layers_; }
  // What the next sample is drawn with.
  double present(ControlId id, int layer) const { return at(layer).present[layer_value(id)]; }
  // Where a ramp under way ends; without one, the same.
  double goal(ControlId id, int layer) const { return at(layer).goal[layer_value(id)]; }

  void show(const Patch& patch) {  // whose layers are these
    for (int l = 0; l < layers_.size(); ++l) {
      for (std::size_t v = 0; v < kLayerValues; ++v) {
        const ControlId id = layer_value_id(v);
        Layer& layer = values_[static_cast<std::size_t>(l)];
        layer.present[v].store(patch.layer(id, l), std::memory_order_relaxed);
        layer.goal[v].store(patch.layer_goal(id, l), std::memory_order_relaxed);
      }
    }
  }

 private:
  struct Layer {
    std::array<std::atomic<double>, kLayerValues> present{}, goal{};
  };
  static_assert(std::atomic<double>::is_always_lock_free);
  const Layer& at(int layer) const { return values_[static_cast<std::size_t>(layer)]; }

  const LayerMap layers_;
  const std::unique_ptr<Layer[]> values_;
};

}  // namespace mambo
