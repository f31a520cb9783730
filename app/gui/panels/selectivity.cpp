#include "app/gui/panels/selectivity.h"

#include <string>

#include "app/gui/keys.h"
#include "app/gui/panels/selectivity_strips.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

constexpr ControlId kHolds[] = {ControlId::hold_delta, ControlId::hold_B, ControlId::hold_C};

// All three holds of all layers as one control.
constexpr ControlSpec kFader = [] {
  ControlSpec spec = control_spec(ControlId::hold_delta);
  spec.key = "s6_s4";
  spec.label = "S6 \u2194 S4";
  spec.help =
      "How far the whole network stops selecting: at 0 it plays as it learned, at 1 delta, B and C "
      "stand at their means over the clip in every layer, as in a time-invariant S4.";
  return spec;
}();

// Over the layers that the target reaches.
double mean_over(const LayerValues& values, std::int16_t target, ControlId id) {
  double sum = 0;
  int n = 0;
  for (int l = 0; l < values.layers().size(); ++l) {
    if (!values.layers().reaches(target, id, l)) continue;
    sum += values.goal(id, l);
    ++n;
  }
  return n > 0 ? sum / n : control_spec(id).normal.real;
}

}  // namespace

void SelectivityPanel::fader(Context& c, const LayerValues& values) {
  double value = 0;
  for (const ControlId id : kHolds) value += mean_over(values, kAllTargets, id) / 3;
  const SliderResult slider = control_slider(c.theme, kFader, {}, {}, value);
  if (slider.changed) {
    for (const ControlId id : kHolds) c.change_layers(id, kAllTargets, value);
  }
  if (slider.settled && !slider.stepped) c.changes.settle();
}

void SelectivityPanel::choose_target(const Context& c, const LayerValues& values) {
  const int layer = c.settings.layer;
  const bool chosen = layer >= 0 && layer < values.layers().size();
  const std::string tier = chosen ? Words("tier {}", values.layers().tier(layer)).c_str() : "tier";
  const char* name =
      chosen ? c.facts.layers[static_cast<std::size_t>(layer)].name.c_str() : "layer";
  segmented(c.theme, "reach", {"all", tier.c_str(), name}, reach_,
            "What the sliders below are for: all layers, the tier of the layer that is shown, or "
            "that layer alone. A click on a row of \u0394 shows another.");
  target_ = kAllTargets;
  if (chosen && reach_ == static_cast<int>(Reach::tier))
    target_ = tier_target(values.layers().tier(layer));
  if (chosen && reach_ == static_cast<int>(Reach::layer)) target_ = values.layers().target(layer);
}

void SelectivityPanel::slider(Context& c, const LayerValues& values, ControlId id) const {
  if (!values.layers().reaches_any(target_, id)) return;
  double value = mean_over(values, target_, id);
  const SliderResult slider = control_slider(c.theme, control_spec(id), {}, {}, value);
  if (slider.changed) c.change_layers(id, target_, value);
  if (slider.settled && !slider.stepped) c.changes.settle();
}

void SelectivityPanel::freeze(Context& c) {
  const auto values = c.session.layers();
  if (before_freeze_ || values == nullptr) return;
  before_freeze_ = snapshot_of(*values);
  c.session.set_layers(ControlId::delta_scale, kAllTargets, 0);
}

void SelectivityPanel::thaw(Context& c) {
  const auto values = c.session.layers();
  if (values != nullptr && before_freeze_) {
    LayerSnapshot wanted = snapshot_of(*values);  // the rest may have moved meanwhile
    if (wanted.size() == before_freeze_->size()) {
      const std::size_t scale = layer_value(ControlId::delta_scale);
      for (std::size_t l = 0; l < wanted.size(); ++l)
        wanted[l][scale] = (*before_freeze_)[l][scale];
      send_layers(c.session, *values, wanted);
    }
  }
  before_freeze_.reset();
}

void SelectivityPanel::take_keys(Context& c) {
  if (c.keys.take(Key::freeze)) {
    by_pointer_ = false;
    freeze(c);
  } else if (c.keys.take(Key::forget)) {
    c.session.set_layers(ControlId::forget, kAllTargets, 0);
  }
}

void SelectivityPanel::look(Context& c) {
  if (before_freeze_ && !by_pointer_ && !ImGui::IsKeyDown(key_code(Key::freeze))) thaw(c);
}

void SelectivityPanel::buttons(Context& c, const LayerValues& values) {
  const float gap = c.u(6);
  const float width = (ImGui::GetContentRegionAvail().x - 2 * gap) / 3;
  push_button(c.theme, "Freeze", ImVec2(width, 0));
  if (ImGui::IsItemActivated()) {
    by_pointer_ = true;
    freeze(c);
  }
  if (ImGui::IsItemDeactivated() && by_pointer_) thaw(c);
  tooltip(c.theme, Words("While it is held: memory stands still in all layers, nothing fades and "
                         "nothing is written. {}",
                         key_words(Key::freeze))
                       .c_str());
  ImGui::SameLine(0, gap);
  if (push_button(c.theme, "Forget", ImVec2(width, 0)))
    c.session.set_layers(ControlId::forget, target_, 0);
  tooltip(c.theme, Words("Empties memory, at once, of what is chosen above. {}: of all layers.",
                         key_words(Key::forget))
                       .c_str());
  ImGui::SameLine(0, gap);
  if (push_button(c.theme, "Reset", ImVec2(width, 0))) {
    c.changes.settle();
    for (std::size_t v = 0; v < kLayerValues; ++v) {
      const ControlId id = layer_value_id(v);
      if (values.layers().reaches_any(kAllTargets, id))
        c.change_layers(id, kAllTargets, control_spec(id).normal.real);
    }
    c.changes.settle();
  }
  tooltip(c.theme, "All layers as the network has learned them");
}

void SelectivityPanel::draw(Context& c) {
  const auto values = c.session.layers();
  if (values == nullptr || values->layers().size() != static_cast<int>(c.facts.layers.size()))
    return;
  fader(c, *values);
  choose_target(c, *values);
  slider(c, *values, ControlId::delta_scale);
  slider(c, *values, ControlId::hold_delta);
  slider(c, *values, ControlId::hold_B);
  slider(c, *values, ControlId::hold_C);
  slider(c, *values, ControlId::read);
  buttons(c, *values);
  const bool shown = c.settings.ablation;
  if (push_button(c.theme, shown ? "Hide what it is worth" : "What is it worth?",
                  ImVec2(ImGui::GetContentRegionAvail().x, 0)))
    c.settings.ablation = !shown;
  tooltip(c.theme, Words("What \u0394, B and C are worth to the model on this clip, measured with "
                         "each held: as bars in place of the channels. Key: {}.",
                         key_words(Key::ablation))
                       .c_str());
}

}  // namespace mambo::gui
