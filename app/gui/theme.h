// Colours, sizes and fonts of the window. Dark; colour is reserved for data.
#pragma once

#include <imgui.h>

namespace mambo::gui {

class Focus;

namespace colour {
inline constexpr ImU32 background = IM_COL32(0x10, 0x13, 0x17, 0xFF);
inline constexpr ImU32 panel = IM_COL32(0x16, 0x1A, 0x20, 0xFF);
inline constexpr ImU32 plot = IM_COL32(0x0B, 0x0D, 0x11, 0xFF);
inline constexpr ImU32 control = IM_COL32(0x22, 0x28, 0x31, 0xFF);
inline constexpr ImU32 control_hot = IM_COL32(0x2C, 0x34, 0x3F, 0xFF);
inline constexpr ImU32 control_on = IM_COL32(0x36, 0x40, 0x4D, 0xFF);
inline constexpr ImU32 line = IM_COL32(0x25, 0x2B, 0x34, 0xFF);
inline constexpr ImU32 grid = IM_COL32(0xFF, 0xFF, 0xFF, 0x12);
inline constexpr ImU32 text = IM_COL32(0xE2, 0xE6, 0xEC, 0xFF);
inline constexpr ImU32 dim = IM_COL32(0x96, 0xA1, 0xAF, 0xFF);    // 7 : 1 on the background
inline constexpr ImU32 faint = IM_COL32(0x6C, 0x77, 0x85, 0xFF);  // 4 : 1
inline constexpr ImU32 accent = IM_COL32(0x5A, 0xC8, 0xC8, 0xFF);
inline constexpr ImU32 accent_low = IM_COL32(0x2A, 0x6E, 0x74, 0xFF);
inline constexpr ImU32 warm = IM_COL32(0xF0, 0xB4, 0x65, 0xFF);
inline constexpr ImU32 error = IM_COL32(0xFF, 0x7F, 0x76, 0xFF);
inline constexpr ImU32 wave = IM_COL32(0x8C, 0xCB, 0xE6, 0xFF);
inline constexpr ImU32 wave_clip = IM_COL32(0xB3, 0xA8, 0xEE, 0xFF);
inline constexpr ImU32 clip_shade = IM_COL32(0x7C, 0x74, 0xD8, 0x20);
}  // namespace colour

// Fades a colour: alpha in [0, 1] times its own.
ImU32 faded(ImU32 c, float alpha);

struct Theme {
  float scale = 1;           // pixels per unit of the design, which was drawn for 1280 x 800
  ImFont* body = nullptr;    // 15 units
  ImFont* small = nullptr;   // 12.5
  ImFont* strong = nullptr;  // 16.5, medium weight
  bool inter = false;        // the font made for interfaces was found
  Focus* focus = nullptr;    // the keyboard's place among the widgets, which all see the theme

  float u(float units) const { return units * scale; }
};

// Builds fonts and style for a scale (pixels per unit, 0.5..4). Between frames only; the caller
// renews the font texture. Inter where it is installed, else Dear ImGui's own font; and the letters
// of other scripts that glyphs.h wants.
void apply_theme(Theme& theme, float scale);

}  // namespace mambo::gui
