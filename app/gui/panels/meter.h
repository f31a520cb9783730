#pragma once

#include "app/gui/context.h"

namespace mambo::gui {

// The honest meter: the time per sample and how well the sound keeps up, as measured. Fills
// [left, right) from the right.
void draw_meter(Context& c, ImVec2 at, float right);

}  // namespace mambo::gui
