#include "app/gui/panels/help.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "app/gui/keys.h"
#include "app/gui/widgets.h"

namespace mambo::gui {
namespace {

// As wide as its longest line; `list` null: only measured. Returns the size.
ImVec2 lines(const Context& c, ImDrawList* list, ImVec2 at, float scale) {
  const auto unit = [&c, scale](float u) { return c.u(u) * scale; };
  const auto text = [list](ImFont* font, float size, ImVec2 p, ImU32 ink, const char* words) {
    if (list != nullptr) list->AddText(font, size, p, ink, words);
    return font->CalcTextSizeA(size, 1e6F, 0, words).x;
  };
  const float body = c.theme.body->FontSize * scale;
  const float keys_width = unit(250);
  float widest = 0;
  float y = at.y;
  const char* section = "";
  for (const KeyHelp& line : key_help()) {
    if (std::string_view(section) != line.section) {
      if (section[0] != '\0') y += unit(8);
      section = line.section;
      text(c.theme.strong, c.theme.strong->FontSize * scale, ImVec2(at.x, y), colour::text,
           section);
      y += unit(23);
    }
    text(c.theme.body, body, ImVec2(at.x, y), colour::accent, key_words(line).c_str());
    std::string does = line.does;
    std::erase(does, '`');  // Markdown's
    const float w =
        text(c.theme.body, body, ImVec2(at.x + keys_width, y), colour::text, does.c_str());
    widest = std::max(widest, keys_width + w);
    y += unit(20);
  }
  return {widest, y - at.y};
}

}  // namespace

bool draw_help(const Context& c) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos(ImVec2(0, 0));
  ImGui::SetNextWindowSize(display);
  ImGui::SetNextWindowFocus();
  ImGui::SetNextWindowBgAlpha(0);
  ImGui::Begin(
      "help", nullptr,
      ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(ImVec2(0, 0), display, IM_COL32(0, 0, 0, 0x90));
  const ImVec2 whole = lines(c, nullptr, {}, 1);
  const float margin = c.u(28);
  // A small window gets small letters, so that nothing is left out.
  const float scale =
      std::min({1.0F, (display.x - 3 * margin) / whole.x, (display.y - 3 * margin) / whole.y});
  const ImVec2 size(whole.x * scale, whole.y * scale);
  const ImVec2 at(std::floor((display.x - size.x) / 2), std::floor((display.y - size.y) / 2));
  list.AddRectFilled(ImVec2(at.x - margin, at.y - margin),
                     ImVec2(at.x + size.x + margin, at.y + size.y + margin),
                     IM_COL32(0x1B, 0x20, 0x27, 0xFA), c.u(8));
  lines(c, &list, at, scale);
  const bool clicked = ImGui::IsMouseClicked(0) || ImGui::IsMouseClicked(1);
  ImGui::End();
  return clicked;
}

}  // namespace mambo::gui
