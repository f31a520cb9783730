#include "app/gui/icon.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace mambo::gui {
namespace {

using Colour = std::array<float, 3>;
struct Bar {
  float x, top, bottom;
  Colour colour;
};

// In units of the drawing, which is 128 wide: packaging/mambo.svg.
constexpr Colour ground = {0x14, 0x18, 0x1f}, heard = {0x7f, 0x8a, 0x99}, made = {0xf2, 0xa6, 0x5a};
constexpr std::array<Bar, 8> bars = {{{20, 58, 70, heard},
                                      {32, 48, 80, heard},
                                      {44, 54, 74, heard},
                                      {56, 60, 68, heard},
                                      {68, 50, 78, made},
                                      {80, 34, 94, made},
                                      {92, 44, 84, made},
                                      {104, 56, 72, made}}};
constexpr float half_stroke = 3.5F, half = 64, corner = 28;

// How much of a pixel lies within a shape whose edge is `distance` pixels away (inside: negative).
float covered(float distance) { return std::clamp(0.5F - distance, 0.0F, 1.0F); }

}  // namespace

std::vector<std::uint8_t> draw_icon(int size) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(size) * size * 4);
  const float unit = 2 * half / static_cast<float>(size);
  std::size_t at = 0;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const float x = (static_cast<float>(column) + 0.5F) * unit;
      const float y = (static_cast<float>(row) + 0.5F) * unit;
      const float across = std::max(std::abs(x - half) - (half - corner), 0.0F);
      const float down = std::max(std::abs(y - half) - (half - corner), 0.0F);
      Colour colour = ground;
      for (const Bar& bar : bars) {
        const float beyond = y - std::clamp(y, bar.top, bar.bottom);
        const float share = covered((std::hypot(x - bar.x, beyond) - half_stroke) / unit);
        for (std::size_t c = 0; c < 3; ++c) colour[c] += share * (bar.colour[c] - colour[c]);
      }
      for (const float c : colour) out[at++] = static_cast<std::uint8_t>(std::lround(c));
      const float alpha = covered((std::hypot(across, down) - corner) / unit);
      out[at++] = static_cast<std::uint8_t>(std::lround(255 * alpha));
    }
  }
  return out;
}

}  // namespace mambo::gui
