#include "app/gui/menu_list.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "app/gui/file_facts.h"
#include "app/gui/glyphs.h"
#include "app/gui/keys.h"

namespace mambo::gui {

void MenuList::clear() {
  typed_[0] = '\0';
  before_.clear();
  lit_ = -1;
  last_drawn_ = 0;
  height_ = 0;
}

void MenuList::begin(Context& c, const char* hint, float width, float height) {
  if (c.keys.take(Key::escape)) ImGui::CloseCurrentPopup();
  // The field has the keyboard as long as the menu is open.
  if (!ImGui::IsAnyItemActive() && !ImGui::IsMouseDown(0)) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(width);
  ImGui::InputTextWithHint("##search", hint, typed_.data(), typed_.size());
  glyphs().need(typed_.data());
  if (typed() != before_) lit_ = typed_[0] == '\0' ? -1 : 0;
  moved_ = typed() != before_;
  before_ = typed();
  if (c.keys.take(Key::down)) {
    lit_ = std::min(lit_ + 1, last_drawn_ - 1);
    moved_ = true;
  }
  if (c.keys.take(Key::up)) {
    lit_ = std::max(lit_ - 1, 0);
    moved_ = true;
  }
  enter_ = c.keys.take(Key::enter);
  preview_ = c.keys.take(Key::preview);
  entered_ = enter_ && (lit_ < 0 || lit_ >= last_drawn_);
  drawn_ = 0;
  const float now = height_ > 0 ? height_ : height;  // its content's of the frame before
  ImGui::BeginChild("rows", ImVec2(width, std::min(now, height)));
  top_ = ImGui::GetCursorPosY();
}

void MenuList::title(Context& c, const char* words) {
  ImGui::Dummy(ImVec2(0, c.u(2)));
  text_in(c.theme.small, colour::dim, words);
}

MenuList::Chosen MenuList::row(Context& c, const Row& row) {
  if (!row.always && !matches(before_, row.name)) return Chosen::no;
  const int number = drawn_++;
  ImGui::PushID(number);
  const float height = c.u(24);
  const float button = row.listen ? c.u(28) : 0;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x - button;
  const bool lit = number == lit_;
  Chosen chosen = Chosen::no;
  if (ImGui::Selectable("##row", row.current || lit, ImGuiSelectableFlags_DontClosePopups,
                        ImVec2(width, height - c.u(2)))) {
    chosen = Chosen::open;
  }
  tooltip(c.theme, row.tip.empty() ? nullptr : row.tip.c_str());
  if (lit && moved_) ImGui::SetScrollHereY();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float middle = at.y + height / 2 - c.u(1);
  if (lit) {
    list.AddRectFilled(ImVec2(at.x, at.y), ImVec2(at.x + c.u(2), at.y + height - c.u(2)),
                       colour::accent);
  }
  float x = at.x + c.u(8);
  if (row.icon != Icon::none) {
    draw_icon(list, row.icon, ImVec2(x + c.u(6), middle), c.u(12), colour::dim);
    x += c.u(20);
  }
  const float right = at.x + width - c.u(6);
  const float detail = draw_text(list, c.theme.small, ImVec2(right, middle), 1, 0.5F, colour::dim,
                                 row.detail.c_str());
  draw_text_fitted(list, c.theme.body, ImVec2(x, std::floor(middle - c.theme.body->FontSize / 2)),
                   right - detail - c.u(10) - x, row.current ? colour::accent : colour::text,
                   row.name.c_str());
  if (row.listen) {
    ImGui::SameLine(0, 0);
    if (ImGui::InvisibleButton("##listen", ImVec2(button, height - c.u(2))))
      chosen = Chosen::listen;
    const bool hot = ImGui::IsItemHovered();
    tooltip(c.theme,
            fmt::format("Listen to it, or stop. Key: {}.", key_words(Key::preview)).c_str());
    draw_icon(list, row.listening ? Icon::stop : Icon::play,
              ImVec2(at.x + width + button / 2, middle), c.u(10),
              row.listening || hot ? colour::accent : colour::faint);
  }
  if (lit && enter_) chosen = Chosen::open;
  if (lit && preview_ && row.listen) chosen = Chosen::listen;
  ImGui::PopID();
  return chosen;
}

void MenuList::end() {
  height_ = ImGui::GetCursorPosY() - top_;
  last_drawn_ = drawn_;
  ImGui::EndChild();
}

}  // namespace mambo::gui
