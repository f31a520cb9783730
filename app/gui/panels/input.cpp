#include "app/gui/panels/input.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>

#include "app/gui/keys.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

constexpr double kTap_s = 0.35;     // what is held no longer goes on until the next
constexpr double kLowest_db = -60;  // of the meter
constexpr double kHot_db = -3;

}  // namespace

void InputPanel::press(Context& c) {
  pressed_s_ = ImGui::GetTime();
  began_ = !c.status.input.listening;
  if (began_) {
    began_ = c.session.listen(true);
    if (!began_) held_ = Held::none;
    c.timeline.follow();
  } else {
    answer(c);
  }
}

void InputPanel::release(Context& c) {
  held_ = Held::none;
  if (began_ && ImGui::GetTime() - pressed_s_ >= kTap_s) answer(c);
  began_ = false;
}

void InputPanel::answer(Context& c) {
  c.session.listen(false);
  if (!c.status.playing) c.session.play();
  c.timeline.follow();
}

void InputPanel::take_keys(Context& c) {
  if (c.keys.take(Key::listen)) {
    held_ = Held::key;
    press(c);
  } else if (c.keys.take(Key::keep_heard)) {
    keep_heard(c.session);
  }
}

void InputPanel::look(Context& c) {
  if (held_ == Held::key && !ImGui::IsKeyDown(key_code(Key::listen))) release(c);
  if (c.status.input.clip.empty() || c.status.input.clip == kept_) return;
  kept_ = c.status.input.clip;
  remember(c.settings.recent_clips, kept_.string());
}

void InputPanel::choice(Context& c) {
  const std::string& open = c.status.input.device;
  const ImVec2 size(ImGui::GetContentRegionAvail().x, ImGui::GetFrameHeight());
  if (choice_button(c.theme, "##input", open.empty() ? "none" : open.c_str(), size)) {
    devices_.refresh();
    list_.clear();
    ImGui::OpenPopup("inputs");
  }
  tooltip(c.theme, open.empty()
                       ? "A microphone, an instrument or another program that the model can listen "
                         "to and answer. Open only while one is chosen here."
                       : Words("{}, {:.0f} ms. Wear headphones: what loudspeakers play comes in as "
                               "well.",
                               open, c.status.input.latency_ms)
                             .c_str());
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float below = ImGui::GetItemRectMax().y + c.u(4);
  const float height = std::max(c.u(160), display.y - below - c.u(70));
  ImGui::SetNextWindowPos(ImVec2(display.x - c.u(392), std::min(below, display.y - c.u(240))));
  if (!ImGui::BeginPopup("inputs")) return;
  const auto offer = [this, &c](const std::string& name, MenuList::Row row) {
    if (list_.row(c, row) == MenuList::Chosen::no) return;
    c.session.set_input(name);
    ImGui::CloseCurrentPopup();
  };
  list_.begin(c, "search", c.u(360), std::min(height, c.u(200)));
  MenuList::Row row;
  row.name = "none";
  row.current = open.empty();
  offer("", row);
  row.current = false;
  row.name = "default";
  offer(kDefaultInput, row);
  for (const AudioDeviceInfo& d : devices_.get()) {
    row.name = d.name;
    row.current = d.name == open;
    row.detail = fmt::format("{}", hertz_words(d.default_rate).c_str());
    row.tip = fmt::format("{} input channels", d.channels);
    offer(d.name, row);
  }
  if (devices_.asking()) text_in(c.theme.small, colour::dim, "looking for inputs\u2026");
  if (!devices_.asking() && devices_.get().empty()) {
    text_in(c.theme.small, colour::dim, "no input was found");
  }
  list_.end();
  ImGui::EndPopup();
}

void InputPanel::level(const Context& c) {
  const double db = c.status.input.level_dbfs;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float words = c.u(58);
  const float width = ImGui::GetContentRegionAvail().x - words;
  const float middle = at.y + c.u(8);
  const auto share = static_cast<float>(std::clamp((db - kLowest_db) / -kLowest_db, 0.0, 1.0));
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float half = c.u(2);
  list.AddRectFilled(ImVec2(at.x, middle - half), ImVec2(at.x + width, middle + half),
                     colour::control_on, half);
  if (share > 0) {
    list.AddRectFilled(ImVec2(at.x, middle - half), ImVec2(at.x + width * share, middle + half),
                       db > kHot_db ? colour::warm : colour::accent, half);
  }
  draw_text(list, c.theme.small, ImVec2(at.x + width + words, middle), 1, 0.5F, colour::dim,
            db < kLowest_db ? "silent" : Words("{:.0f} dBFS", db).c_str());
  ImGui::Dummy(ImVec2(width + words, c.u(16)));
  tooltip(c.theme,
          "Peak of what comes in. Loud enough is about as loud as the clip; above "
          "\u22123 dBFS it may clip.");
}

void InputPanel::buttons(Context& c) {
  const float gap = c.u(6);
  const float width = (ImGui::GetContentRegionAvail().x - gap) / 2;
  const bool listening = c.status.input.listening;
  const Words label("{}###listen",
                    listening ? Words("{:.1f} s", c.status.input.heard_seconds).c_str() : "Listen");
  if (listening) ImGui::PushStyleColor(ImGuiCol_Text, colour::accent);
  const bool pressed = push_button(c.theme, label.c_str(), ImVec2(width, 0));
  if (listening) ImGui::PopStyleColor();
  if (ImGui::IsItemActivated()) {
    held_ = Held::button;
    press(c);
  } else if (ImGui::IsItemDeactivated() && held_ == Held::button) {
    release(c);
  } else if (pressed && held_ == Held::none) {  // by the keyboard
    held_ = Held::button;
    press(c);
    pressed_s_ = ImGui::GetTime();
    release(c);
  }
  const Words last("The last answer began {:.0f} ms after; ", c.status.input.answer_ms);
  tooltip(c.theme,
          Words("While it is held the model absorbs what comes in, as it would a clip, and is "
                "silent; let go, and it answers. A short press goes on until the next. {}the "
                "output adds {:.0f} ms. Key: {}.",
                c.status.input.answer_ms > 0 ? last.c_str() : "", c.status.output_latency_ms,
                key_words(Key::listen))
              .c_str());
  ImGui::SameLine(0, gap);
  if (push_button(c.theme, "Keep", ImVec2(width, 0))) keep_heard(c.session);
  tooltip(c.theme,
          Words("The last {:.0f} s that came in, listened to or not, as a clip: a file beside the "
                "recordings, in the menu of clips. At most a minute. Key: {}.",
                c.status.input.kept_seconds, key_words(Key::keep_heard))
              .c_str());
}

void InputPanel::draw(Context& c) {
  choice(c);
  if (c.status.input.device.empty()) return;
  level(c);
  buttons(c);
}

}  // namespace mambo::gui
