#include "app/cli/picture.h"

#include <stb_easy_font.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "app/files/png_file.h"

namespace mambo {

// Fit of degree six to matplotlib's viridis (Matt Zucker, shadertoy.com/view/WlfXRN, CC0).
Colour viridis(double t) {
  static constexpr double c[7][3] = {
      {0.2777273272, 0.0054073445, 0.3340998053},   {0.1050930431, 1.4046135299, 1.3845901626},
      {-0.3308618287, 0.2148475595, 0.0950951630},  {-4.6342304990, -5.7991009734, -19.3324409563},
      {6.2282699363, 14.1799333668, 56.6905526007}, {4.7763849977, -13.7451453777, -65.3530326334},
      {-5.4354558559, 4.6458526122, 26.3124352496}};
  const double x = std::clamp(t, 0.0, 1.0);
  Colour colour{};
  for (std::size_t k = 0; k < 3; ++k) {
    double v = c[6][k];
    for (std::size_t i = 6; i-- > 0;) v = v * x + c[i][k];
    colour[k] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(v, 0.0, 1.0)));
  }
  return colour;
}

Picture::Picture(int width, int height, Colour background)
    : width_(width), height_(height), rgb_(3U * static_cast<std::size_t>(width) * height) {
  fill(0, 0, width, height, background);
}

void Picture::fill(int x, int y, int w, int h, Colour c) {
  const int x1 = std::min(width_, x + w);
  const int y1 = std::min(height_, y + h);
  for (int py = std::max(0, y); py < y1; ++py) {
    for (int px = std::max(0, x); px < x1; ++px) {
      std::copy(c.begin(), c.end(), &rgb_[3U * (static_cast<std::size_t>(py) * width_ + px)]);
    }
  }
}

void Picture::text(int x, int y, int scale, const std::string& words, Colour c) {
  struct Vertex {
    float x, y, z;
    std::uint8_t colour[4];
  };
  std::vector<Vertex> vertices(words.size() * 80 + 64);
  std::string copy = words;  // the font takes a char*
  const int quads = stb_easy_font_print(0, 0, copy.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  for (int q = 0; q < quads; ++q) {
    const Vertex& a = vertices[static_cast<std::size_t>(q) * 4];
    const Vertex& b = vertices[static_cast<std::size_t>(q) * 4 + 2];
    const int ax = static_cast<int>(a.x) * scale;
    const int ay = static_cast<int>(a.y) * scale;
    fill(x + ax, y + ay, static_cast<int>(b.x) * scale - ax, static_cast<int>(b.y) * scale - ay, c);
  }
}

int Picture::text_width(const std::string& words, int scale) {
  std::string copy = words;
  return stb_easy_font_width(copy.data()) * scale;
}

void Picture::save(const std::filesystem::path& path, Replace replace) const {
  write_png(path, width_, height_, 3, rgb_, std::move(replace));
}

}  // namespace mambo
