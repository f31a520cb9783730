#pragma once

#include "app/gui/context.h"

namespace mambo::gui {

// Play/Pause, Again, Record, from `at` on. Returns the x where it ends.
float draw_transport(Context& c, ImVec2 at);

}  // namespace mambo::gui
