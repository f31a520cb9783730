#include "app/gui/panels/selectivity_strips.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "app/gui/plot/plot.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

constexpr float kScaleShare = 0.62F;  // of a strip's width; the rest is the hold
constexpr ControlId kHolds[] = {ControlId::hold_delta, ControlId::hold_B, ControlId::hold_C};

int row_at(const std::vector<SelectivityStrips::Row>& rows, float y) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (y >= rows[i].top && y < rows[i].bottom + 1) return static_cast<int>(i);
  }
  return -1;
}

// By the keys that are held: all layers, the layer's tier, the layer.
std::int16_t meant(const LayerMap& layers, int layer) {
  if (ImGui::GetIO().KeyCtrl) return kAllTargets;
  if (ImGui::GetIO().KeyShift) return tier_target(layers.tier(layer));
  return layers.target(layer);
}

void draw_row(const Context& c, const LayerValues& values, int layer, ImVec2 min, ImVec2 max) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float split = std::round(min.x + (max.x - min.x) * kScaleShare);
  const float end = split - c.u(2);
  list.AddRectFilled(min, ImVec2(end, max.y), colour::control);
  list.AddRectFilled(ImVec2(split, min.y), max, colour::control);
  if (!values.layers().selects(layer)) return;
  const ControlSpec& spec = control_spec(ControlId::delta_scale);
  const auto x_of = [&](double value) {
    return min.x + static_cast<float>(travel_of(spec, value)) * (end - min.x);
  };
  const float normal = x_of(spec.normal.real);
  const float now = x_of(values.goal(ControlId::delta_scale, layer));
  list.AddRectFilled(ImVec2(std::min(normal, now), min.y), ImVec2(std::max(normal, now), max.y),
                     now < normal ? colour::wave : colour::warm);
  list.AddRectFilled(ImVec2(normal, min.y), ImVec2(normal + 1, max.y), colour::faint);
  const auto share = static_cast<float>(held(values, layer));
  list.AddRectFilled(ImVec2(split, min.y), ImVec2(split + share * (max.x - split), max.y),
                     colour::accent);
}

}  // namespace

double held(const LayerValues& values, int layer) {
  double sum = 0;
  for (const ControlId id : kHolds) sum += values.goal(id, layer);
  return sum / static_cast<double>(std::size(kHolds));
}

void SelectivityStrips::begin(const Context& c, const LayerValues& values, float left, float right,
                              const std::vector<Row>& rows) {
  const ImVec2 pointer = ImGui::GetIO().MousePos;
  const int layer = row_at(rows, pointer.y);
  drag_ = {};
  if (layer < 0 || !values.layers().selects(layer)) return;
  drag_.layer = layer;
  drag_.hold = pointer.x > left + (right - left) * kScaleShare;
  drag_.from = pointer.x;
  drag_.travel = drag_.hold ? held(values, layer)
                            : travel_of(control_spec(ControlId::delta_scale),
                                        values.goal(ControlId::delta_scale, layer));
  c.changes.settle();
}

void SelectivityStrips::move(Context& c, const LayerValues& values) const {
  const std::int16_t target = meant(values.layers(), drag_.layer);
  const bool back = ImGui::IsMouseDoubleClicked(0);
  const float by = ImGui::GetIO().MousePos.x - drag_.from;
  if (!back && !ImGui::IsMouseDragging(0)) return;
  const double travel = std::clamp(drag_.travel + static_cast<double>(by / c.u(140)), 0.0, 1.0);
  if (drag_.hold) {
    for (const ControlId id : kHolds)
      c.change_layers(id, target, back ? control_spec(id).normal.real : travel);
  } else {
    const ControlSpec& spec = control_spec(ControlId::delta_scale);
    c.change_layers(spec.id, target, back ? spec.normal.real : value_at(spec, travel));
  }
}

void SelectivityStrips::readout(const Context& c, const LayerValues& values, int layer) {
  begin_readout(c);
  gui::readout(c, "layer", c.facts.layers[static_cast<std::size_t>(layer)].name.c_str());
  if (values.layers().selects(layer)) {
    const auto now = [&](ControlId id) { return values.goal(id, layer); };
    gui::readout(c, "memory runs", Words("\u00D7 {:.3g}", now(ControlId::delta_scale)).c_str());
    gui::readout(c, "held \u0394, B, C",
                 Words("{:.2f}, {:.2f}, {:.2f}", now(ControlId::hold_delta), now(ControlId::hold_B),
                       now(ControlId::hold_C))
                     .c_str());
    text_in(
        c.theme.small, colour::faint,
        "drag: left half speed, right half hold; Shift: the tier; Ctrl: all; double click: back");
  } else {
    text_in(c.theme.small, colour::faint, "time-invariant: it has nothing to select by");
  }
  end_readout();
}

void SelectivityStrips::draw(Context& c, float left, float right, const std::vector<Row>& rows) {
  const auto values = c.session.layers();
  if (values == nullptr || rows.empty() ||
      values->layers().size() != static_cast<int>(rows.size())) {
    return;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    draw_row(c, *values, static_cast<int>(i), ImVec2(left, rows[i].top),
             ImVec2(right, rows[i].bottom));
  }
  ImGui::SetCursorScreenPos(ImVec2(left, rows.front().top));
  ImGui::InvisibleButton("strips", ImVec2(right - left, rows.back().bottom - rows.front().top));
  if (ImGui::IsItemActivated()) begin(c, *values, left, right, rows);
  if (ImGui::IsItemActive() && drag_.layer >= 0) move(c, *values);
  if (ImGui::IsItemDeactivated()) {
    drag_ = {};
    c.changes.settle();
  }
  const int pointed = row_at(rows, ImGui::GetIO().MousePos.y);
  if (ImGui::IsItemHovered() || ImGui::IsItemActive()) {
    const int shown = drag_.layer >= 0 ? drag_.layer : pointed;
    if (shown >= 0) readout(c, *values, shown);
  }
}

}  // namespace mambo::gui
