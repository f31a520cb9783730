// Perceptually uniform colour maps that are safe for colour-blind eyes, and ranges that stay calm.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace mambo::gui {

enum class ColourMap : std::uint8_t { viridis, cividis, magma };
inline constexpr int colour_maps = 3;

using Palette = std::array<std::uint32_t, 256>;  // opaque RGBA texels

const Palette& palette(ColourMap map);
const char* colour_map_name(ColourMap map);
// For what lies on both sides of a zero: blue below, dark grey at zero (index 127 and 128), orange
// above, told apart by every kind of colour vision. Even steps of lightness and chroma on both
// sides.
const Palette& diverging_palette();

inline std::uint32_t colour_at(const Palette& p, float t) {  // t in [0, 1]
  return p[static_cast<std::size_t>(std::lround(t * 255.0F))];
}

// What a logarithmic colour scale spans, in octaves. Ends lie on half decades, so that the legend
// reads well, and move only when the data leave them or fill less than two fifths.
struct LogRange {
  float lo = 0, hi = 0;

  float place(float log2_value) const;  // 0..1, clamped
  bool follow(float low, float high);   // true when it moved
};

}  // namespace mambo::gui
