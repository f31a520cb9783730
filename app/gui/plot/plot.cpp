#include "app/gui/plot/plot.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "app/gui/plot/ruler.h"

namespace mambo::gui {

void panel_title(const Context& c, float y, const char* title, const char* detail, float right) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float middle = y + c.u(12);
  const float w =
      draw_text(list, c.theme.body, ImVec2(c.panel_left, middle), 0, 0.5F, colour::text, title);
  const float left = std::floor(c.panel_left + w + c.u(10));
  const float room = right - c.u(10) - left;
  if (room < c.u(40)) return;  // nothing that could be read
  const float line = c.theme.small->FontSize;
  draw_text_fitted(list, c.theme.small, ImVec2(left, std::floor(middle + c.u(0.5F) - line / 2)),
                   room, colour::dim, detail);
}

namespace {

void handle_pointer(Context& c, Plot& p) {
  const ImGuiIO& io = ImGui::GetIO();
  if (ImGui::IsItemActive() && ImGui::IsMouseDragging(0, c.u(3)) && io.MouseDelta.x != 0) {
    c.timeline.pan(static_cast<double>(io.MouseDelta.x));
  }
  if (ImGui::IsItemDeactivated()) {
    const ImVec2 moved = ImGui::GetMouseDragDelta(0, 0);
    p.clicked = p.hovered && std::hypot(moved.x, moved.y) < c.u(3);
  }
  if (!p.hovered) return;
  const double px = static_cast<double>(io.MousePos.x - p.min.x);
  c.cursor = std::floor(px);
  p.position = c.view.position(px);
  p.pointer_y = io.MousePos.y - p.min.y;
  if (ImGui::IsMouseDoubleClicked(0)) c.timeline.follow();
  if (io.MouseWheel != 0 && !io.KeyCtrl) {
    if (io.KeyShift) {
      c.timeline.pan(static_cast<double>(io.MouseWheel) * 60);
    } else {
      c.timeline.zoom(std::pow(1.2, static_cast<double>(io.MouseWheel)), px);
    }
  }
  if (io.MouseWheelH != 0) c.timeline.pan(static_cast<double>(io.MouseWheelH) * 60);
}

}  // namespace

Plot begin_plot(Context& c, const char* id, float top, float bottom, bool covered) {
  Plot p;
  p.min = ImVec2(c.plot_left, std::floor(top));
  p.max = ImVec2(c.plot_right, std::floor(std::max(bottom, top + 4)));
  ImDrawList& list = *ImGui::GetWindowDrawList();
  if (!covered) {
    list.AddRectFilled(p.min, p.max, colour::plot);
    for_each_tick(c, [&](float x, double) {
      list.AddRectFilled(ImVec2(x, p.min.y), ImVec2(x + 1, p.max.y), colour::grid);
    });
  }
  ImGui::SetCursorScreenPos(p.min);
  ImGui::InvisibleButton(id, ImVec2(p.width(), p.height()));
  p.hovered = ImGui::IsItemHovered();
  handle_pointer(c, p);
  return p;
}

void shade_clip(const Context& c, const Plot& p) {
  const double clip_end = static_cast<double>(c.history.clip_end());
  if (clip_end <= 0) return;
  const double width = static_cast<double>(p.width());
  const auto left = static_cast<float>(std::clamp(c.view.px(0), 0.0, width));
  const auto right = static_cast<float>(std::clamp(c.view.px(clip_end), 0.0, width));
  if (right <= left) return;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(ImVec2(p.min.x + left, p.min.y), ImVec2(p.min.x + right, p.max.y),
                     colour::clip_shade);
  mark_clip_end(c, p);
}

void mark_clip_end(const Context& c, const Plot& p) {
  const double px = c.view.px(static_cast<double>(c.history.clip_end()));
  if (c.history.clip_end() == 0 || px < 0 || px >= static_cast<double>(p.width())) return;
  const float x = p.min.x + std::floor(static_cast<float>(px));
  ImGui::GetWindowDrawList()->AddRectFilled(ImVec2(x, p.min.y), ImVec2(x + 1, p.max.y),
                                            faded(colour::wave_clip, 0.7F));
}

void mark_playhead(const Context& c, const Plot& p) {
  const double x = c.view.px(c.timeline.live());
  if (x < 0 || x >= static_cast<double>(p.width())) return;
  const auto px = p.min.x + std::floor(static_cast<float>(x));
  ImGui::GetWindowDrawList()->AddRectFilled(ImVec2(px, p.min.y),
                                            ImVec2(px + std::max(1.0F, c.u(1)), p.max.y),
                                            faded(colour::accent, 0.75F));
}

void axis_label(const Context& c, float y, const char* words, ImU32 colour) {
  draw_text(*ImGui::GetWindowDrawList(), c.theme.small, ImVec2(c.plot_left - c.u(8), y), 1, 0.5F,
            colour, words);
}

void begin_readout(const Context& c) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.u(10), c.u(8)));
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(c.u(8), c.u(3)));
  // ImGui sizes a tooltip by its content of the previous frame; live values that grow would be cut
  // off.
  ImGui::SetNextWindowSizeConstraints(ImVec2(c.u(232), 0), ImVec2(FLT_MAX, FLT_MAX));
  ImGui::BeginTooltip();
}

void begin_readout(const Context& c, const Plot& p) {
  begin_readout(c);
  if (p.position < 0) {
    text_in(c.theme.small, colour::dim, "before the beginning");
    return;
  }
  const auto sample = static_cast<std::uint64_t>(std::floor(p.position));
  const double at = c.seconds(static_cast<double>(sample));
  const bool in_clip = sample < c.history.clip_end();
  text_in(c.theme.strong, colour::text,
          time_words(at, std::min(0.001, c.view.samples_per_px / c.history.rate())).c_str());
  const auto from_start = static_cast<std::int64_t>(sample) -
                          static_cast<std::int64_t>(in_clip ? 0 : c.history.clip_end());
  readout(c, in_clip ? "clip sample" : "sample", Words("{}", from_start).c_str());
  const int code = c.history.code_at(sample);
  if (code >= 0) {
    readout(c, "code",
            Words("{}  ({:+.4f})", code, c.history.shape().decode[static_cast<std::size_t>(code)])
                .c_str());
  }
}

void readout(const Context& c, const char* what, const char* value) {
  text_in(c.theme.small, colour::dim, what);
  ImGui::SameLine(c.u(112));
  text_in(c.theme.body, colour::text, value);
}

void end_readout() {
  ImGui::EndTooltip();
  ImGui::PopStyleVar(2);
}

std::int64_t open_column(const TimeView& v, double end) {
  return static_cast<std::int64_t>(std::floor(end / v.samples_per_px));
}

}  // namespace mambo::gui
