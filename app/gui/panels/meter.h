#pragma once

#include "app/gui/context.h"

namespace mambo::gui {

// The meter: measured time per sample, real-time factor, ring, latency, dropouts. Fills [left,
// right) from the right.
void draw_meter(Context& c, ImVec2 at, float right);

}  // namespace mambo::gui
