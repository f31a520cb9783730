// A minimal raster image for figures: pixels, rectangles, text.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/output_file.h"

namespace mambo {

using Colour = std::array<std::uint8_t, 3>;

Colour viridis(double t);  // t in [0, 1]

class Picture {
 public:
  Picture(int width, int height, Colour background);
  void fill(int x, int y, int w, int h, Colour c);
  void text(int x, int y, int scale, const std::string& words, Colour c);  // top left corner
  static int text_width(const std::string& words, int scale);
  void save(const std::filesystem::path& path, Replace replace) const;  // PNG; throws Error

 private:
  int width_, height_;
  std::vector<std::uint8_t> rgb_;
};

}  // namespace mambo
