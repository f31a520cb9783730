// How large things are drawn on the monitor at hand.
#pragma once

namespace mambo::gui {

// What the desktop asks for; where it asks for nothing, what the monitor's size suggests; and where
// that is not known, its pixels. GLFW is initialised; its thread.
float monitor_scale();

}  // namespace mambo::gui
