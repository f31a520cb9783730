#include "app/gui/widgets.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "app/gui/control_words.h"
#include "app/gui/focus.h"
#include "app/gui/glyphs.h"

namespace mambo::gui {

namespace {

Rect item_rect() {
  const ImVec2 min = ImGui::GetItemRectMin();
  const ImVec2 max = ImGui::GetItemRectMax();
  return {min.x, min.y, max.x, max.y};
}

}  // namespace

void tooltip(const Theme& t, const char* words) {
  if (words == nullptr || !ImGui::IsItemHovered() || ImGui::IsAnyItemActive()) return;
  words = glyphs().shown(words);
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  Rect item = item_rect();
  const bool in_column = ImGui::GetWindowWidth() < display.x / 2;
  if (in_column) {  // nor its neighbours
    item.left = std::min(item.left, ImGui::GetWindowPos().x);
    item.right = std::max(item.right, ImGui::GetWindowPos().x + ImGui::GetWindowWidth());
  }
  const ImVec2 padding(t.u(10), t.u(8));
  const ImVec2 text = ImGui::CalcTextSize(words, nullptr, false, t.u(300));
  const Rect place = place_beside(item, text.x + 2 * padding.x, text.y + 2 * padding.y,
                                  {0, 0, display.x, display.y}, t.u(6), !in_column);
  ImGui::SetNextWindowPos(ImVec2(place.left, place.top));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, padding);
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(t.u(300));
  ImGui::TextUnformatted(words);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
  ImGui::PopStyleVar();
}

void keyboard_place(const Theme& t, ImGuiID id, bool steps) {
  if (t.focus == nullptr || !t.focus->item(id, item_rect(), steps)) return;
  if (t.focus->just_came()) ImGui::SetScrollHereY();
  const Rect r = item_rect();
  const float out = t.u(1.5F);
  ImGui::GetWindowDrawList()->AddRect(ImVec2(r.left - out, r.top - out),
                                      ImVec2(r.right + out, r.bottom + out), colour::accent, t.u(4),
                                      0, t.u(1.5F));
}

bool push_button(const Theme& t, const char* label, ImVec2 size) {
  const ImGuiID id = ImGui::GetID(label);
  const bool pressed = ImGui::Button(label, size);
  keyboard_place(t, id);
  return pressed || (t.focus != nullptr && t.focus->pressed(id));
}

void text_in(ImFont* font, ImU32 colour, const char* words) {
  ImGui::PushFont(font);
  ImGui::PushStyleColor(ImGuiCol_Text, colour);
  ImGui::TextUnformatted(glyphs().shown(words));
  ImGui::PopStyleColor();
  ImGui::PopFont();
}

float draw_text(ImDrawList& list, ImFont* font, ImVec2 at, float x_align, float y_align,
                ImU32 colour, const char* words) {
  words = glyphs().shown(words);
  const ImVec2 size = font->CalcTextSizeA(font->FontSize, 1e6F, 0.0F, words);
  const ImVec2 p(std::floor(at.x - size.x * x_align), std::floor(at.y - size.y * y_align));
  list.AddText(font, font->FontSize, p, colour, words);
  return size.x;
}

void draw_text_fitted(ImDrawList& list, ImFont* font, ImVec2 at, float width, ImU32 colour,
                      const char* words) {
  words = glyphs().shown(words);
  const auto width_of = [font](const char* s) {
    return font->CalcTextSizeA(font->FontSize, 1e6F, 0.0F, s).x;
  };
  if (width_of(words) <= width) {
    list.AddText(font, font->FontSize, at, colour, words);
    return;
  }
  std::string text = words;                        // rare: only what is too long for its place
  const auto continues = [&text](std::size_t i) {  // inside a UTF-8 sequence
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  std::size_t left = text.size() / 2;
  std::size_t right = left;
  std::string shown;
  while (left > 0 && right < text.size()) {
    --left;
    while (continues(left) && left > 0) --left;
    ++right;
    while (continues(right)) ++right;
    shown = text.substr(0, left) + "\u2026" + text.substr(right);
    if (width_of(shown.c_str()) <= width) break;
  }
  list.AddText(font, font->FontSize, at, colour, shown.c_str());
}

namespace {

// In place of the slider. True: the value changed.
bool type_value(const ControlSpec& spec, double& value, bool begins) {
  double typed = value;
  ImGui::SetNextItemWidth(-1);
  if (begins) ImGui::SetKeyboardFocusHere();
  if (!ImGui::InputDouble("##typed", &typed, 0, 0, spec.format, ImGuiInputTextFlags_AutoSelectAll))
    return false;
  value = clamped(spec, {typed, 0}).real;
  return true;
}

bool move_slider(const ControlSpec& spec, const Useful& useful, double& value) {
  auto travel = static_cast<float>(travel_of(spec, value, useful));
  constexpr ImGuiSliderFlags flags =
      ImGuiSliderFlags_AlwaysClamp | ImGuiSliderFlags_NoInput | ImGuiSliderFlags_NoRoundToFormat;
  ImGui::SetNextItemWidth(-1);
  if (!ImGui::SliderFloat("##value", &travel, 0, 1, " ", flags)) return false;
  value = as_shown(spec, value_at(spec, static_cast<double>(travel), useful));
  return true;
}

// Whether the item is typed into; begins with a Ctrl-click where the item will be, or with Enter,
// and ends when it is left. Kept in `memory`: 0: no; 1: yes; more: it has that many frames to get
// the keyboard.
constexpr int typing_begins = 4;
int typing(ImGuiStorage& memory, ImGuiID id, bool entered) {
  const ImVec2 min = ImGui::GetCursorScreenPos();
  const ImVec2 max(min.x + ImGui::GetContentRegionAvail().x, min.y + ImGui::GetFrameHeight());
  if (ImGui::GetIO().KeyCtrl && ImGui::IsMouseClicked(0) && ImGui::IsWindowHovered() &&
      ImGui::IsMouseHoveringRect(min, max)) {
    entered = true;
  }
  if (entered) memory.SetInt(id, typing_begins);
  return memory.GetInt(id);
}
void after_typing(ImGuiStorage& memory, ImGuiID id, int state) {
  if (ImGui::IsItemActive()) {
    memory.SetInt(id, 1);
  } else {
    memory.SetInt(id, state - 1);
  }
}

}  // namespace

SliderResult control_slider(const Theme& t, const ControlSpec& spec, const ControlChoice& model,
                            const Useful& useful, double& value) {
  ImGui::PushID(spec.key);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float line = at.y + t.u(8);
  draw_text(list, t.small, ImVec2(at.x, line), 0, 0.5F, colour::dim, spec.label);
  ImGui::Dummy(ImVec2(width, t.u(13)));

  ImGuiStorage& memory = *ImGui::GetStateStorage();
  const ImGuiID typed_into = ImGui::GetID("typed into");
  ImGui::PushFont(t.small);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(t.u(6), t.u(1)));
  const int typed = typing(memory, typed_into, t.focus != nullptr && t.focus->pressed(typed_into));
  SliderResult result{
      typed > 0 ? type_value(spec, value, typed > 1) : move_slider(spec, useful, value), false,
      false};
  ImGui::PopStyleVar();
  ImGui::PopFont();
  if (typed > 0) after_typing(memory, typed_into, typed);
  result.settled = ImGui::IsItemDeactivatedAfterEdit();
  keyboard_place(t, typed_into, true);
  if (const int steps = t.focus != nullptr ? t.focus->stepped(typed_into) : 0; steps != 0) {
    value = as_shown(spec, stepped(spec, value, steps));
    result = {true, true, true};
  }

  // The slider follows the pointer as long as the button is held, so the default must be held too.
  const ImGuiID resetting = ImGui::GetID("resetting");
  if (typed == 0 && ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) {
    memory.SetBool(resetting, true);
  }
  if (memory.GetBool(resetting)) {
    value = own_value(spec, model);
    result.changed = true;
    if (!ImGui::IsItemActive()) {
      memory.SetBool(resetting, false);
      result.settled = true;
    }
  }
  tooltip(t, control_tip(spec, model, useful).c_str());
  draw_text(list, t.body, ImVec2(at.x + width, line), 1, 0.5F, colour::text,
            value_words(spec, value).c_str());
  ImGui::Dummy(ImVec2(0, t.u(1)));
  ImGui::PopID();
  return result;
}

bool choice_button(const Theme& t, const char* id, const char* shown, ImVec2 size) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const bool pressed = push_button(t, id, size);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  draw_text_fitted(list, t.body,
                   ImVec2(at.x + t.u(10), std::floor(at.y + (size.y - t.body->FontSize) / 2)),
                   size.x - t.u(38), colour::text, shown);
  const ImVec2 tip(at.x + size.x - t.u(16), at.y + size.y / 2 + t.u(2));
  list.AddTriangleFilled(ImVec2(tip.x - t.u(4), tip.y - t.u(4)),
                         ImVec2(tip.x + t.u(4), tip.y - t.u(4)), ImVec2(tip.x, tip.y + t.u(1)),
                         colour::dim);
  return pressed;
}

void draw_icon(ImDrawList& list, Icon icon, ImVec2 c, float s, ImU32 colour) {
  const float h = s / 2;
  switch (icon) {
    case Icon::none:
      break;
    case Icon::play:
      list.AddTriangleFilled(ImVec2(c.x - h * 0.7F, c.y - h), ImVec2(c.x + h, c.y),
                             ImVec2(c.x - h * 0.7F, c.y + h), colour);
      break;
    case Icon::pause:
      list.AddRectFilled(ImVec2(c.x - h * 0.8F, c.y - h), ImVec2(c.x - h * 0.2F, c.y + h), colour);
      list.AddRectFilled(ImVec2(c.x + h * 0.2F, c.y - h), ImVec2(c.x + h * 0.8F, c.y + h), colour);
      break;
    case Icon::again: {
      constexpr float pi = std::numbers::pi_v<float>;
      list.PathArcTo(c, h * 0.85F, -0.25F * pi, 1.4F * pi, 24);
      list.PathStroke(colour, 0, s * 0.13F);
      const ImVec2 tip(c.x + h * 0.62F, c.y - h * 0.62F);
      list.AddTriangleFilled(ImVec2(tip.x + h * 0.42F, tip.y + h * 0.5F),
                             ImVec2(tip.x + h * 0.34F, tip.y - h * 0.52F),
                             ImVec2(tip.x - h * 0.58F, tip.y + h * 0.2F), colour);
      break;
    }
    case Icon::record:
      list.AddCircleFilled(c, h * 0.85F, colour, 24);
      break;
    case Icon::stop:
      list.AddRectFilled(ImVec2(c.x - h * 0.75F, c.y - h * 0.75F),
                         ImVec2(c.x + h * 0.75F, c.y + h * 0.75F), colour, s * 0.1F);
      break;
    case Icon::listen: {  // a loudspeaker
      list.AddRectFilled(ImVec2(c.x - h, c.y - h * 0.35F), ImVec2(c.x - h * 0.5F, c.y + h * 0.35F),
                         colour);
      list.AddQuadFilled(
          ImVec2(c.x - h * 0.5F, c.y - h * 0.35F), ImVec2(c.x + h * 0.1F, c.y - h * 0.9F),
          ImVec2(c.x + h * 0.1F, c.y + h * 0.9F), ImVec2(c.x - h * 0.5F, c.y + h * 0.35F), colour);
      for (const float r : {0.5F, 0.95F}) {
        list.PathArcTo(ImVec2(c.x + h * 0.15F, c.y), h * r, -0.8F, 0.8F, 12);
        list.PathStroke(colour, 0, s * 0.11F);
      }
      break;
    }
    case Icon::folder:
      list.AddRectFilled(ImVec2(c.x - h, c.y - h * 0.5F), ImVec2(c.x + h, c.y + h * 0.75F), colour,
                         s * 0.1F);
      list.AddRectFilled(ImVec2(c.x - h, c.y - h * 0.8F), ImVec2(c.x - h * 0.1F, c.y - h * 0.2F),
                         colour, s * 0.1F);
      break;
  }
}

bool icon_button(const Theme& t, const char* id, Icon icon, const char* label, bool lit,
                 ImU32 lit_colour, ImVec2 size, const char* words) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const bool pressed = push_button(t, id, size);
  tooltip(t, words);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImU32 ink = lit ? lit_colour : colour::text;
  const float icon_size = t.u(12);
  const float text_width =
      label[0] != '\0' ? t.body->CalcTextSizeA(t.body->FontSize, 1e6F, 0.0F, label).x + t.u(7) : 0;
  const float left = at.x + (size.x - icon_size - text_width) / 2;
  const float middle = at.y + size.y / 2;
  draw_icon(list, icon, ImVec2(left + icon_size / 2, middle), icon_size, ink);
  draw_text(list, t.body, ImVec2(left + icon_size + t.u(7), middle), 0, 0.5F, ink, label);
  return pressed;
}

float segmented_width(const Theme& t, std::initializer_list<const char*> names) {
  float width = 0;
  for (const char* name : names) {
    width += t.small->CalcTextSizeA(t.small->FontSize, 1e6F, 0.0F, name).x + t.u(14);
  }
  return width;
}

bool segmented(const Theme& t, const char* id, std::initializer_list<const char*> names,
               int& chosen, const char* words) {
  ImGui::PushID(id);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImVec2 at = ImGui::GetCursorScreenPos();
  const float height = t.u(18);
  bool changed = false;
  list.AddRectFilled(at, ImVec2(at.x + segmented_width(t, names), at.y + height), colour::control,
                     t.u(4));
  int i = 0;
  for (const char* name : names) {
    const float width = t.small->CalcTextSizeA(t.small->FontSize, 1e6F, 0.0F, name).x + t.u(14);
    ImGui::SetCursorScreenPos(at);
    ImGui::PushID(i);
    const ImGuiID choice = ImGui::GetID("choice");
    bool pressed = ImGui::InvisibleButton("choice", ImVec2(width, height));
    keyboard_place(t, choice);
    pressed = pressed || (t.focus != nullptr && t.focus->pressed(choice));
    if (pressed && chosen != i) {
      chosen = i;
      changed = true;
    }
    const bool hot = ImGui::IsItemHovered();
    tooltip(t, words);
    ImGui::PopID();
    const ImVec2 end(at.x + width, at.y + height);
    if (chosen == i) list.AddRectFilled(at, end, colour::control_on, t.u(4));
    draw_text(list, t.small, ImVec2(at.x + width / 2, at.y + height / 2), 0.5F, 0.5F,
              chosen == i ? colour::text
              : hot       ? colour::text
                          : colour::dim,
              name);
    at.x += width;
    ++i;
  }
  ImGui::PopID();
  return changed;
}

float legend(const Theme& t, ImDrawList& list, ImVec2 right, const Palette& p, const char* low,
             const char* high, const char* zero) {
  const float middle = right.y + t.u(9);
  float x = right.x - draw_text(list, t.small, ImVec2(right.x, middle), 1, 0.5F, colour::dim, high);
  x -= t.u(6);
  const float bar = t.u(96);
  const float half = t.u(4);
  constexpr int steps = 24;
  for (int i = 0; i < steps; ++i) {
    const float a = static_cast<float>(i) / steps;
    const float b = static_cast<float>(i + 1) / steps;
    const ImU32 ca = colour_at(p, a);
    const ImU32 cb = colour_at(p, b);
    list.AddRectFilledMultiColor(ImVec2(x - bar + bar * a, middle - half),
                                 ImVec2(x - bar + bar * b, middle + half), ca, cb, cb, ca);
  }
  const bool marked = zero[0] != '\0';
  const auto mark = [&](float at) {
    at = std::floor(at);
    list.AddRectFilled(ImVec2(at, middle - half - t.u(3)),
                       ImVec2(at + t.u(1), middle + half + t.u(3)), colour::text);
  };
  if (marked) mark(x - bar / 2);
  x -= bar + t.u(6);
  x -= draw_text(list, t.small, ImVec2(x, middle), 1, 0.5F, colour::dim, low);
  if (!marked) return x;
  x -= t.u(10);
  x -= draw_text(list, t.small, ImVec2(x, middle), 1, 0.5F, colour::dim, zero) + t.u(5);
  mark(x);
  return x;
}

}  // namespace mambo::gui
