// What delta, B and C are worth to the model on the clip, as bars: in place of the chosen layer's
// channels. Measured beside what plays (app/live/ablator.h); a click on a bar plays what it stands
// for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/gui/context.h"
#include "app/live/ablator.h"

namespace mambo::gui {

class AblationPanel {
 public:
  explicit AblationPanel(const EngineOptions& options) : ablator_(options) {}
  void draw(Context& c, float top, float bottom);
  // Each frame, shown or not: gives up what is measured of another model or clip than plays.
  void look(const Context& c);
  bool running() const { return ablator_.running(); }

 private:
  struct Frame;  // what one frame has of all this
  float buttons(Context& c, const Frame& f, float top);
  static void save(const Context& c, const Frame& f);
  static void words(const Context& c, const Frame& f);
  static void bars(Context& c, const Frame& f);
  static void bar(Context& c, const Frame& f, std::size_t row, float left, float right);
  static void readout(const Context& c, const Frame& f, std::size_t row);

  Ablator ablator_;
};

// The holds that a case of an ablation stands for, in all layers: whether they are as it says, and
// setting them, or, where they are so already, all to nothing: one change, to be undone as one.
bool plays(const LayerValues& values, const AblationCase& held);
void toggle(Context& c, const LayerValues& values, const AblationCase& held);

}  // namespace mambo::gui
