// What was done to the controls, to be undone and done again. A gesture (a drag, a run of key
// presses) is one change. Undoing sends the old value the way that any change goes, so that a
// performance holds it as it holds every other. GUI thread only.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "app/control/control.h"
#include "app/live/layer_values.h"

namespace mambo::gui {

// The values of the layers' controls: layer_value() of each layer.
using LayerSnapshot = std::vector<std::array<double, kLayerValues>>;
LayerSnapshot snapshot_of(const LayerValues& values);  // where they go; allocates

class ControlHistory {
 public:
  static constexpr std::size_t most = 1000;  // changes kept

  // A control got another value by hand at this time (seconds, of any clock).
  void changed(ControlId id, const ControlValue& before, const ControlValue& after, double now);
  // The layers' controls got other values: with whatever follows before settle() one change.
  void changed_layers(LayerSnapshot before, LayerSnapshot after, double now);
  // What the layers' controls were last set to in a gesture that goes on; null: there is none.
  const LayerSnapshot* layers_under_way() const {
    return open_ && done_ > 0 && !changes_[done_ - 1].layers_after.empty()
               ? &changes_[done_ - 1].layers_after
               : nullptr;
  }
  void settle() { open_ = false; }  // the next change is another gesture
  // Ends a gesture that no hand holds and that is `now` some time ago.
  void rest(double now);

  struct Set {
    ControlId id{};
    ControlValue value;
    LayerSnapshot layers;  // not empty: these instead
  };
  std::optional<Set> undo();  // what to set; nothing: there is nothing to undo
  std::optional<Set> redo();
  // The changes of this control are none of this model's: they can no longer be undone.
  void forget(ControlId id);
  void forget_layers();  // the same of the layers' controls

 private:
  struct Change {
    ControlId id{};
    ControlValue before, after;
    LayerSnapshot layers_before, layers_after;  // of a change of layers; else empty
    bool nothing() const { return before == after && layers_before == layers_after; }
  };
  void begin(Change change);
  template <class F>
  void forget_those(F is_of);
  std::vector<Change> changes_;
  std::size_t done_ = 0;  // of changes_; the rest was undone
  bool open_ = false;     // the last one may still grow
  double last_ = 0;
};

}  // namespace mambo::gui
