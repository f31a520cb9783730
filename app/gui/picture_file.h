#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace mambo::gui {

// Saves RGBA pixels, bottom row first (as OpenGL reads them), as an opaque PNG; written aside and
// renamed. Throws Error when it cannot be written.
void save_png(const std::filesystem::path& path, int width, int height,
              std::vector<std::uint8_t> rgba);

}  // namespace mambo::gui
