#include "app/gui/panels/leftovers.h"

#include <exception>
#include <string>

#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {

void LeftoversPanel::next() {
  left_.erase(left_.begin());
  sure_ = false;
}

void LeftoversPanel::draw(Context& c, float bottom) {
  if (left_.empty()) return;
  const Leftover one = left_.front();
  ImGui::SetNextWindowPos(ImVec2(ImGui::GetIO().DisplaySize.x / 2, bottom), ImGuiCond_Always,
                          ImVec2(0.5F, 1));
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour::control);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.u(14), c.u(10)));
  ImGui::Begin("leftover", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                   ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoFocusOnAppearing);
  ImGui::PushFont(c.theme.body);
  const std::string name = one.name.filename().string();
  const Words words = one.seconds > 0
                          ? Words("A recording was not finished: {:.1f} s of {}", one.seconds, name)
                          : Words("A recording was not finished: {}", name);
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(words.c_str());
  try {
    ImGui::SameLine(0, c.u(14));
    if (ImGui::Button("Keep", ImVec2(c.u(72), 0))) {
      c.notice.say("Kept as " + keep_leftover(one).string() + ".", false);
      next();
    }
    tooltip(c.theme, "Make it a whole file in the same folder");
    ImGui::SameLine(0, c.u(6));
    if (ImGui::Button(sure_ ? "Really delete" : "Delete", ImVec2(c.u(sure_ ? 116 : 72), 0))) {
      if (sure_) {
        delete_leftover(one);
        next();
      } else {
        sure_ = true;
      }
    }
    tooltip(c.theme, "Throw its sound away; asks once more");
    ImGui::SameLine(0, c.u(6));
    if (ImGui::Button("Later", ImVec2(c.u(72), 0))) next();
    tooltip(c.theme, "Leave it where it is, and ask again at the next start");
  } catch (const std::exception& e) {
    c.notice.say(e.what(), true);
    next();
  }
  ImGui::PopFont();
  ImGui::End();
  ImGui::PopStyleVar();
  ImGui::PopStyleColor();
}

}  // namespace mambo::gui
