#pragma once

#include <string>

namespace mambo::gui {

// Writes one line to the stderr that the process started with. While sound libraries are silenced,
// stderr is redirected, and the program's own errors must not be lost with theirs.
void tell_terminal(const std::string& line);
void remember_terminal();  // before stderr is redirected

}  // namespace mambo::gui
