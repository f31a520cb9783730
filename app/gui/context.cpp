#include "app/gui/context.h"

#include <cmath>
#include <utility>

namespace mambo::gui {

void Context::change_layers(ControlId id, std::int16_t target, double value) {
  const auto values = session.layers();
  if (values == nullptr) return;
  const LayerSnapshot* under_way = changes.layers_under_way();
  // What was asked for in the last frames may not have been taken up yet.
  LayerSnapshot before = under_way != nullptr ? *under_way : snapshot_of(*values);
  if (before.size() != static_cast<std::size_t>(values->layers().size())) return;
  LayerSnapshot after = before;
  for (std::size_t l = 0; l < after.size(); ++l) {
    if (values->layers().reaches(target, id, static_cast<int>(l)))
      after[l][layer_value(id)] = value;
  }
  if (after == before) return;  // a pointer that rests in its drag
  const auto ramp = static_cast<std::uint32_t>(std::lround(0.02 * history.rate()));
  if (!session.set_layers(id, target, value, ramp)) return;
  changes.changed_layers(std::move(before), std::move(after), ImGui::GetTime());
}

void send_layers(Session& session, const LayerValues& values, const LayerSnapshot& wanted) {
  const LayerMap& layers = values.layers();
  if (wanted.size() != static_cast<std::size_t>(layers.size())) return;
  const LayerSnapshot now = snapshot_of(values);
  for (std::size_t v = 0; v < kLayerValues; ++v) {
    bool same = true;  // in all layers: one event says it
    for (const auto& layer : wanted) same = same && layer[v] == wanted.front()[v];
    const ControlId id = layer_value_id(v);
    bool differs = false;
    for (std::size_t l = 0; l < wanted.size(); ++l) differs = differs || now[l][v] != wanted[l][v];
    if (differs && same) session.set_layers(id, kAllTargets, wanted.front()[v]);
    for (std::size_t l = 0; l < wanted.size() && differs && !same; ++l) {
      if (now[l][v] != wanted[l][v])
        session.set_layers(id, layers.target(static_cast<int>(l)), wanted[l][v]);
    }
  }
}

}  // namespace mambo::gui
