// PNG files out: figures and pictures of the window.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "model/output_file.h"

namespace mambo {

// [height][width][channels] bytes, the top row first; 3 channels are RGB, 4 RGBA. The file says in
// its keyword Software that mambo made it. Written aside and renamed. Throws Error.
void write_png(const std::filesystem::path& path, int width, int height, int channels,
               std::span<const std::uint8_t> pixels, Replace replace);

// What may give way to a picture: one that write_png made, and with `force` any file.
Replace replace_png(bool force);

}  // namespace mambo
