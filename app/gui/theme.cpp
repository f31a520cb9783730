#include "app/gui/theme.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "app/gui/glyphs.h"

namespace mambo::gui {
namespace {

constexpr const char* font_folder = "/usr/share/fonts/opentype/inter/";

// Latin, Greek (Δ, τ, µ), Cyrillic for the names of files, punctuation, arrows, ∞ and the like.
constexpr ImWchar all_but_digits[] = {0x20,   0x2F,   0x3A,   0x17F,  0x370,  0x3FF,  0x400,
                                      0x4FF,  0x2010, 0x203A, 0x2190, 0x2193, 0x2212, 0x2212,
                                      0x221E, 0x221E, 0x2264, 0x2265, 0};
constexpr ImWchar digits[] = {'0', '9', 0};

// Digits have one width, so that changing numbers do not jitter.
ImFont* add_font(const std::string& path, float px) {
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    ImFontConfig plain;
    plain.SizePixels = std::max(13.0F, std::round(px));
    return atlas.AddFontDefault(&plain);
  }
  ImFontConfig config;
  config.OversampleH = 2;
  config.OversampleV = 2;
  config.PixelSnapH = false;
  ImFont* font = atlas.AddFontFromFileTTF(path.c_str(), px, &config, all_but_digits);
  config.MergeMode = true;
  config.GlyphMinAdvanceX = config.GlyphMaxAdvanceX = std::round(px * 0.535F * 4.0F) / 4.0F;
  atlas.AddFontFromFileTTF(path.c_str(), px, &config, digits);
  ImFontConfig fallback;
  fallback.MergeMode = true;
  for (const Fallback& f : glyphs().fallbacks()) {
    if (!std::filesystem::exists(f.file, ignored)) continue;
    fallback.FontNo = f.face;
    atlas.AddFontFromFileTTF(f.file.c_str(), px, &fallback, f.ranges.data());
  }
  return font;
}

ImVec4 vec(ImU32 c) { return ImGui::ColorConvertU32ToFloat4(c); }

void set_colours(ImGuiStyle& s) {
  ImGui::StyleColorsDark(&s);
  const ImVec4 none(0, 0, 0, 0);
  const auto set = [&s](ImGuiCol which, ImU32 c) { s.Colors[which] = vec(c); };
  set(ImGuiCol_WindowBg, colour::background);
  set(ImGuiCol_ChildBg, colour::panel);
  set(ImGuiCol_PopupBg, IM_COL32(0x1B, 0x20, 0x27, 0xFA));
  set(ImGuiCol_Border, colour::line);
  set(ImGuiCol_Text, colour::text);
  set(ImGuiCol_TextDisabled, colour::dim);
  set(ImGuiCol_FrameBg, colour::control);
  set(ImGuiCol_FrameBgHovered, colour::control_hot);
  set(ImGuiCol_FrameBgActive, colour::control_on);
  set(ImGuiCol_Button, colour::control);
  set(ImGuiCol_ButtonHovered, colour::control_hot);
  set(ImGuiCol_ButtonActive, colour::control_on);
  set(ImGuiCol_Header, colour::control_hot);
  set(ImGuiCol_HeaderHovered, colour::control_on);
  set(ImGuiCol_HeaderActive, colour::control_on);
  set(ImGuiCol_SliderGrab, colour::accent);
  set(ImGuiCol_SliderGrabActive, colour::accent);
  set(ImGuiCol_CheckMark, colour::accent);
  set(ImGuiCol_PlotHistogram, colour::accent);
  set(ImGuiCol_TextSelectedBg, colour::accent_low);
  set(ImGuiCol_Separator, colour::line);
  set(ImGuiCol_ScrollbarGrab, colour::control_hot);
  s.Colors[ImGuiCol_ScrollbarBg] = none;
  s.Colors[ImGuiCol_ModalWindowDimBg] = ImVec4(0, 0, 0, 0.45F);
}

void set_sizes(ImGuiStyle& s, float scale) {
  s.WindowPadding = ImVec2(12, 10);
  s.FramePadding = ImVec2(9, 5);
  s.ItemSpacing = ImVec2(8, 6);
  s.ItemInnerSpacing = ImVec2(6, 4);
  s.WindowBorderSize = 0;
  s.ChildBorderSize = 0;
  s.PopupBorderSize = 1;
  s.FrameBorderSize = 0;
  s.WindowRounding = 0;
  s.ChildRounding = 5;
  s.FrameRounding = 4;
  s.PopupRounding = 6;
  s.GrabRounding = 4;
  s.GrabMinSize = 12;
  s.ScrollbarSize = 11;
  s.ScrollbarRounding = 6;
  s.ScaleAllSizes(scale);
}

}  // namespace

ImU32 faded(ImU32 c, float alpha) {
  const auto own = static_cast<float>(c >> IM_COL32_A_SHIFT);
  const auto a = static_cast<ImU32>(std::lround(std::clamp(own * alpha, 0.0F, 255.0F)));
  return (c & ~IM_COL32_A_MASK) | a << IM_COL32_A_SHIFT;
}

void apply_theme(Theme& theme, float scale) {
  theme.scale = std::clamp(scale, 0.5F, 4.0F);
  ImGuiStyle& style = ImGui::GetStyle();
  style = ImGuiStyle();
  set_colours(style);
  set_sizes(style, theme.scale);

  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  atlas.Clear();
  std::error_code ignored;
  const std::string regular = std::string(font_folder) + "Inter-Regular.otf";
  const std::string medium = std::string(font_folder) + "Inter-Medium.otf";
  theme.inter = std::filesystem::exists(regular, ignored);
  theme.body = add_font(regular, theme.u(15.0F));
  theme.small = add_font(regular, theme.u(12.5F));
  theme.strong =
      add_font(std::filesystem::exists(medium, ignored) ? medium : regular, theme.u(16.5F));
  atlas.Build();
}

}  // namespace mambo::gui
