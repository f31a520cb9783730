// Selectivity by hand in the column at the right: one fader from S6 to S4 for the whole network,
// each control for all layers, a tier or the chosen layer, and what acts while a key is held.
#pragma once

#include <optional>
#include <vector>

#include "app/gui/context.h"

namespace mambo::gui {

class SelectivityPanel {
 public:
  void draw(Context& c);
  // Freezes all layers until the key is let go; forgets all at once.
  void take_keys(Context& c);
  // Each frame: lets go what is no longer held.
  void look(Context& c);

 private:
  void fader(Context& c, const LayerValues& values);
  void choose_target(const Context& c, const LayerValues& values);
  void slider(Context& c, const LayerValues& values, ControlId id) const;
  void buttons(Context& c, const LayerValues& values);
  void freeze(Context& c);
  void thaw(Context& c);

  enum class Reach { all, tier, layer };
  int reach_ = 0;
  std::int16_t target_ = kAllTargets;
  std::optional<LayerSnapshot> before_freeze_;
  bool by_pointer_ = false;  // the freeze: the button is held, not the key
};

}  // namespace mambo::gui
