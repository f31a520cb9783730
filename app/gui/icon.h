// The program's icon, as packaging/mambo.svg draws it.
#pragma once

#include <cstdint>
#include <vector>

namespace mambo::gui {

// RGBA, size x size pixels, rows from the top.
std::vector<std::uint8_t> draw_icon(int size);

}  // namespace mambo::gui
