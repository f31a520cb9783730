#pragma once

#include <string>

namespace mambo::gui {

// For a window started from a terminal: one line on what stderr was when this was first
// called. Sound libraries are kept from talking by turning stderr away for a while, and an error of
// ours must not be lost with theirs.
void print_to_terminal(const std::string& line);
void remember_terminal();  // before anything turns stderr away

}  // namespace mambo::gui
