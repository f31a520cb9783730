#include "app/gui/status_line.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "app/gui/keys.h"
#include "app/gui/terminal.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

constexpr double readable_s = 6;

const char* activity_words(Activity a) {
  switch (a) {
    case Activity::loading_model:
      return "Loading the model";
    case Activity::loading_clip:
      return "Reading the clip";
    case Activity::prefilling:
      return "Absorbing the clip";
    case Activity::looking_back:
      return "Reading the layer's past";
    case Activity::empty:
    case Activity::ready:
      break;
  }
  return nullptr;
}

// A button while there is something to offer; its width.
float latency_offer(Context& c, float x, ImVec2 min, ImVec2 max) {
  if (!c.latency_offer) return 0;
  const Words label("Raise latency to {:.0f} ms", *c.latency_offer);
  ImFont* font = c.theme.small;
  const float width = font->CalcTextSizeA(font->FontSize, 1e6F, 0.0F, label.c_str()).x + c.u(16);
  ImGui::SetCursorScreenPos(ImVec2(x, min.y + c.u(3)));
  ImGui::PushFont(font);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(c.u(8), 0));
  ImGui::PushStyleColor(ImGuiCol_Text, colour::warm);
  if (ImGui::Button(label.c_str(), ImVec2(width, max.y - min.y - c.u(6)))) {
    c.change(ControlId::latency, *c.latency_offer);
  }
  ImGui::PopStyleColor();
  ImGui::PopStyleVar();
  ImGui::PopFont();
  tooltip(c.theme,
          "The ring ran dry several times in the last seconds. With more sound kept ready it "
          "survives that, and answers later to the controls. \"raise\" under Output does it by "
          "itself.");
  return width + c.u(12);
}

}  // namespace

// What the window said itself gives way to the session's next message, but not before it could be
// read, unless something went wrong. And what went wrong stays as long: the session's own next
// message often follows at once.
void StatusLine::follow_session(Context& c) {
  const double now = ImGui::GetTime();
  if (c.notice.text.empty()) own_since_ = now;
  if (c.status.message_id != seen_) {
    seen_ = c.status.message_id;
    superseded_ = true;
    if (c.status.message_is_error) {
      c.notice.say(c.status.message, true);
      own_since_ = now;
      superseded_ = false;  // until the next
      print_to_terminal(c.status.message);
    }
  }
  if (superseded_ && now - own_since_ > readable_s) c.notice.say("", false);
  if (c.notice.text.empty()) superseded_ = false;
}

void StatusLine::draw(Context& c, ImVec2 min, ImVec2 max) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(min, max, colour::panel);
  const float middle = (min.y + max.y) / 2;
  float x = min.x + c.u(14);
  follow_session(c);
  const bool own = !c.notice.text.empty();
  const bool is_error = own ? c.notice.is_error : c.status.message_is_error;
  const InputStatus& input = c.status.input;
  const Words listening("Listening: {:.1f} s. Let {} go, or press it again, and the model answers.",
                        input.heard_seconds, key_words(Key::listen));
  const char* message = input.listening && !is_error ? listening.c_str()
                        : own                        ? c.notice.text.c_str()
                                                     : c.status.message.c_str();
  if (const char* doing = activity_words(c.status.activity); doing != nullptr) {
    x += draw_text(list, c.theme.small, ImVec2(x, middle), 0, 0.5F, colour::text, doing) + c.u(10);
    const float bar = c.u(160);
    const float done = std::clamp(c.status.progress, 0.0F, 1.0F);
    list.AddRectFilled(ImVec2(x, middle - c.u(3)), ImVec2(x + bar, middle + c.u(3)),
                       colour::control_on, c.u(3));
    list.AddRectFilled(ImVec2(x, middle - c.u(3)), ImVec2(x + bar * done, middle + c.u(3)),
                       colour::accent, c.u(3));
    x += bar + c.u(10);
    ImGui::SetCursorScreenPos(ImVec2(x, min.y + c.u(3)));
    ImGui::PushFont(c.theme.small);
    ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(c.u(8), 0));
    if (push_button(c.theme, "Cancel", ImVec2(c.u(62), max.y - min.y - c.u(6)))) {
      c.session.cancel();
    }
    ImGui::PopStyleVar();
    ImGui::PopFont();
    tooltip(c.theme, "Stop this; what played before goes on");
    x += c.u(62) + c.u(12);
  } else {
    const ImU32 dot = is_error           ? colour::error
                      : c.status.playing ? colour::accent
                      : c.status.silent  ? colour::warm
                                         : colour::faint;
    list.AddCircleFilled(ImVec2(x + c.u(3), middle), c.u(3.5F), dot, 12);
    x += c.u(14);
  }
  x += latency_offer(c, x, min, max);
  static const std::string all_hints =
      key_words(Key::play) + " play    " + key_words(Key::again) + " again    " +
      key_words(Key::follow) + " follow    wheel zoom    " + key_words(Key::help) + " all keys";
  const char* hints = all_hints.c_str();
  const float hints_width =
      c.theme.small->CalcTextSizeA(c.theme.small->FontSize, 1e6F, 0.0F, hints).x;
  float right = max.x - c.u(14);
  if (!is_error || hints_width < (max.x - x) * 0.3F) {
    draw_text(list, c.theme.small, ImVec2(right, middle), 1, 0.5F, colour::faint, hints);
    right -= hints_width + c.u(20);
  }
  const ImVec2 at(x, std::floor(middle - c.theme.small->FontSize / 2));
  draw_text_fitted(list, c.theme.small, at, right - x, is_error ? colour::error : colour::text,
                   message);
  ImGui::SetCursorScreenPos(ImVec2(x, min.y));
  ImGui::InvisibleButton("message", ImVec2(std::max(right - x, 1.0F), max.y - min.y));
  if (message[0] != '\0') tooltip(c.theme, message);
}

}  // namespace mambo::gui
