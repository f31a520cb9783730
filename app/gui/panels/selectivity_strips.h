// Beside each row of Δ a strip to play its layer by hand: at the left how fast its memory runs
// (delta_scale), at the right how far it stands still (hold_delta, hold_B and hold_C together).
//
// A drag to the right is more, to the left less; with Shift for the layer's tier, with Ctrl for all
// layers. A double click returns to the default.
#pragma once

#include <cstdint>

#include "app/gui/context.h"

namespace mambo::gui {

class SelectivityStrips {
 public:
  // Where a layer's row is, in pixels of the window.
  struct Row {
    float top, bottom;
  };
  static float width(const Context& c) { return c.u(50); }
  // Between left and right, as high as all rows. rows: of every layer of c.facts.
  void draw(Context& c, float left, float right, const std::vector<Row>& rows);

 private:
  struct Drag {
    int layer = -1;  // none is dragged
    bool hold = false;
    float from = 0;     // x of the pointer when it began
    double travel = 0;  // of the value, then
  };
  void begin(const Context& c, const LayerValues& values, float left, float right,
             const std::vector<Row>& rows);
  void move(Context& c, const LayerValues& values) const;
  static void readout(const Context& c, const LayerValues& values, int layer);
  Drag drag_;
};

// How far delta, B and C of a layer are held, on average: 0 is S6, 1 is S4.
double held(const LayerValues& values, int layer);

}  // namespace mambo::gui
