// Keyboard commands, independent of the keys bound to them.
#pragma once

namespace mambo::gui {

enum class Key : int {
  play,    // Space
  again,   // R
  follow,  // F
  left,
  right,  // arrows: move along the time axis
  closer,
  wider,  // up, down: zoom it
  bigger,
  smaller,
  normal_size,  // Ctrl +, Ctrl -, Ctrl 0: the interface
};

bool pressed(Key key);  // in this frame; arrows repeat while held

}  // namespace mambo::gui
