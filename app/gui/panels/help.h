// The overlay with all keys.
#pragma once

#include "app/gui/context.h"

namespace mambo::gui {

// Over the whole display, from the table in keys.h; true: a click asks for its end.
bool draw_help(const Context& c);

}  // namespace mambo::gui
