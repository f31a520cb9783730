#include "app/gui/plot/ruler.h"

#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {

double tick_step(double seconds_per_px, double apart) {
  const double least = seconds_per_px * apart;
  double step = std::pow(10.0, std::floor(std::log10(least)));
  for (const double nice : {1.0, 2.0, 5.0, 10.0}) {
    if (step * nice >= least * (1 - 1e-9)) return step * nice;
  }
  return step * 10;
}

void draw_ruler(Context& c, float top, float bottom) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float middle = (top + bottom) / 2;
  const double step =
      tick_step(c.view.samples_per_px / c.history.rate(), static_cast<double>(c.u(92)));
  const float follow_width = c.u(78);
  for_each_tick(c, [&](float x, double seconds) {
    if (x > c.plot_right - follow_width - c.u(40)) return;
    draw_text(list, c.theme.small, ImVec2(x + c.u(4), middle), 0, 0.5F, colour::dim,
              time_words(seconds, step).c_str());
    list.AddRectFilled(ImVec2(x, bottom - c.u(6)), ImVec2(x + 1, bottom), colour::faint);
  });
  draw_text(list, c.theme.small, ImVec2(c.panel_left, middle), 0, 0.5F, colour::dim,
            Words("{} wide", seconds_words(c.timeline.span() / c.history.rate()).c_str()).c_str());

  const bool live = c.timeline.following();
  ImGui::SetCursorScreenPos(ImVec2(c.plot_right - follow_width, top + c.u(1)));
  if (ImGui::InvisibleButton("follow", ImVec2(follow_width, bottom - top - c.u(4)))) {
    c.timeline.follow();
  }
  const bool hot = ImGui::IsItemHovered();
  tooltip(c.theme,
          "Follow the sound (F, or a double click in a plot). Wheel zooms, drag pans, "
          "left and right arrows move, up and down arrows zoom.");
  list.AddRectFilled(ImVec2(c.plot_right - follow_width, top + c.u(1)),
                     ImVec2(c.plot_right, bottom - c.u(3)),
                     hot ? colour::control_hot : colour::control, c.u(4));
  const float x = c.plot_right - follow_width + c.u(14);
  const float y = (top + c.u(1) + bottom - c.u(3)) / 2;
  list.AddCircleFilled(ImVec2(x, y), c.u(3.5F), live ? colour::accent : colour::faint, 12);
  draw_text(list, c.theme.small, ImVec2(x + c.u(10), y), 0, 0.5F, live ? colour::text : colour::dim,
            live ? "live" : "to live");
}

}  // namespace mambo::gui
