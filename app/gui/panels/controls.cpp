#include "app/gui/panels/controls.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>

#include "app/gui/focus.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

void section(const Context& c, const char* title) {
  ImGui::Dummy(ImVec2(0, c.u(2)));
  text_in(c.theme.strong, colour::text, title);
  ImGui::Dummy(ImVec2(0, c.u(1)));
}

SliderResult slider_of(const Context& c, const ControlSpec& spec, double& value) {
  const bool is_temperature = spec.id == ControlId::temperature;
  return control_slider(c.theme, spec, c.facts.controls,
                        is_temperature ? c.facts.temperature_range : std::nullopt, value);
}

// A slider that acts while it moves.
void control(Context& c, ControlId id) {
  double value = c.session.control(id).real;
  const SliderResult slider = slider_of(c, control_spec(id), value);
  if (slider.changed) c.change(id, value);
  if (slider.settled && !slider.stepped) c.changes.settle();
}

// A control of two values, as a switch.
void toggle(Context& c, ControlId id) {
  const ControlSpec& spec = control_spec(id);
  text_in(c.theme.small, colour::dim, spec.label);
  ImGui::SameLine();
  int on = c.session.control(id).real != 0 ? 1 : 0;
  if (segmented(c.theme, spec.key, {"off", "on"}, on, spec.help)) {
    c.change(id, on);
    c.changes.settle();
  }
}

}  // namespace

void ControlsPanel::sampling(Context& c) {
  section(c, "Sampling");
  control(c, ControlId::temperature);
  control(c, ControlId::top_k);
  control(c, ControlId::top_p);
  control(c, ControlId::min_p);
  control(c, ControlId::floor);
  control(c, ControlId::gate);
  random_seed(c);
  toggle(c, ControlId::guard);
}

void ControlsPanel::random_seed(Context& c) {
  constexpr const ControlSpec& spec = control_spec(ControlId::rng_seed);
  text_in(c.theme.small, colour::dim, spec.label);
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() - c.u(3));
  const float button = c.u(58);
  ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - button - c.u(6));
  ControlValue value = c.session.control(spec.id);
  const ImGuiID field = ImGui::GetID("##rng_seed");
  if (c.theme.focus->pressed(field)) ImGui::SetKeyboardFocusHere();
  bool changed = ImGui::InputScalar("##rng_seed", ImGuiDataType_U64, &value.whole, nullptr, nullptr,
                                    spec.format, ImGuiInputTextFlags_AutoSelectAll);
  if (ImGui::IsItemDeactivated()) c.changes.settle();
  keyboard_place(c.theme, field);
  if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) {
    value = spec.normal;
    changed = true;
  }
  tooltip(c.theme, Words("{} Double click: {}.", spec.help, spec.normal.whole).c_str());
  ImGui::SameLine(0, c.u(6));
  if (push_button(c.theme, "New", ImVec2(button, 0))) {
    c.changes.settle();
    value.whole = std::random_device{}() % 1000000U;
    changed = true;
  }
  tooltip(c.theme, "Another random seed");
  if (changed) c.change(spec.id, value);
}

void ControlsPanel::device_choice(Context& c) {
  text_in(c.theme.small, colour::dim, "Device");
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() - c.u(3));
  const char* shown = c.status.silent           ? "none: silent clock"
                      : c.status.device.empty() ? "default"
                                                : c.status.device.c_str();
  const ImVec2 size(ImGui::GetContentRegionAvail().x, ImGui::GetFrameHeight());
  if (choice_button(c.theme, "##device", shown, size)) {
    devices_.refresh();
    device_list_.clear();
    ImGui::OpenPopup("devices");
  }
  tooltip(c.theme, c.status.silent
                       ? "There is no sound device: mambo plays on silently, clocked by a timer, "
                         "and can record."
                       : shown);
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float below = ImGui::GetItemRectMax().y + c.u(4);
  ImGui::SetNextWindowPos(ImVec2(display.x - c.u(392), below));
  if (!ImGui::BeginPopup("devices")) return;
  const auto offer = [this, &c](const std::string& name, MenuList::Row row) {
    row.current = name == c.settings.device;
    if (device_list_.row(c, row) == MenuList::Chosen::no) return;
    c.settings.device = name;
    c.session.set_device(name);
    ImGui::CloseCurrentPopup();
  };
  device_list_.begin(c, "search", c.u(360), std::max(c.u(80), display.y - below - c.u(70)));
  MenuList::Row row;
  row.name = "default";
  offer("", row);
  for (const AudioDeviceInfo& d : devices_.get()) {
    row.name = d.name;
    row.detail = fmt::format("{}", hertz_words(d.default_rate).c_str());
    row.tip =
        fmt::format("{} output channels, {} by default, {} to {}", d.channels,
                    hertz_words(d.default_rate).c_str(), seconds_words(d.low_latency_s).c_str(),
                    seconds_words(d.high_latency_s).c_str());
    offer(d.name, row);
  }
  if (devices_.asking()) text_in(c.theme.small, colour::dim, "looking for devices\u2026");
  if (!devices_.asking() && devices_.get().empty()) {
    text_in(c.theme.small, colour::dim, "no sound device was found");
  }
  device_list_.end();
  ImGui::EndPopup();
}

// Set when the slider is let go: it may reopen the device.
void ControlsPanel::latency(Context& c) {
  constexpr const ControlSpec& spec = control_spec(ControlId::latency);
  double ms = moving_latency_.value_or(c.session.control(spec.id).real);
  const SliderResult slider = slider_of(c, spec, ms);
  if (slider.changed) moving_latency_ = ms;
  if (slider.settled && moving_latency_) {
    c.change(spec.id, *moving_latency_);
    if (!slider.stepped) c.changes.settle();
    moving_latency_.reset();
  }
}

// What happens on underruns.
void ControlsPanel::underruns(Context& c) {
  text_in(c.theme.small, colour::dim, "On underruns");
  ImGui::SameLine();
  int raise = c.settings.raise_latency ? 1 : 0;
  if (segmented(c.theme, "underruns", {"ask", "raise"}, raise,
                "When the ring runs dry twice within ten seconds: ask offers a higher latency in "
                "the status line; raise sets it by itself, each time at least to the double, up to "
                "the slider's end, and says so.")) {
    c.settings.raise_latency = raise == 1;
  }
}

void ControlsPanel::output(Context& c) {
  section(c, "Output");
  control(c, ControlId::level);
  latency(c);
  underruns(c);
  toggle(c, ControlId::match_level);
  device_choice(c);
  if (c.status.device_rate > 0) {
    text_in(c.theme.small, colour::dim,
            Words("{} model, {} device", hertz_words(c.history.rate()).c_str(),
                  hertz_words(c.status.device_rate).c_str())
                .c_str());
  }
}

void ControlsPanel::display(Context& c) {
  section(c, "Display");
  text_in(c.theme.small, colour::dim, "\u0394 colours");
  int map = c.settings.colour_map == static_cast<int>(ColourMap::cividis) ? 1 : 0;
  if (segmented(
          c.theme, "map", {"viridis", "cividis"}, map,
          "Both are perceptually uniform; cividis looks nearly the same with any colour vision")) {
    c.settings.colour_map = static_cast<int>(map == 1 ? ColourMap::cividis : ColourMap::viridis);
  }
}

void ControlsPanel::model(const Context& c) {
  if (!c.has_model()) return;
  section(c, "Model");
  const auto row = [&c](const char* what, const Words& value) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float width = ImGui::GetContentRegionAvail().x;
    ImDrawList& list = *ImGui::GetWindowDrawList();
    draw_text(list, c.theme.small, ImVec2(at.x, at.y + c.u(8)), 0, 0.5F, colour::dim, what);
    draw_text(list, c.theme.small, ImVec2(at.x + width, at.y + c.u(8)), 1, 0.5F, colour::text,
              value.c_str());
    ImGui::Dummy(ImVec2(width, c.u(13)));
  };
  const ModelFacts& m = c.facts;
  row("parameters", Words("{:.2f} M", m.parameters / 1e6));
  row("layers", Words("{} in {} tier{}", m.layers.size(), m.tiers, m.tiers == 1 ? "" : "s"));
  row("states per channel", Words("{}", m.states));
  row("multiply-adds per sample", Words("{:.2f} M", m.macs_per_sample / 1e6));
}

void ControlsPanel::draw(Context& c, ImVec2 min, ImVec2 max) {
  ImGui::SetCursorScreenPos(min);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.u(14), c.u(8)));
  ImGui::BeginChild("controls", ImVec2(max.x - min.x, max.y - min.y), true,
                    ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_AlwaysUseWindowPadding);
  ImGui::PopStyleVar();
  sampling(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  if (c.has_model()) {
    section(c, "Selectivity");
    selectivity_.draw(c);
    ImGui::Dummy(ImVec2(0, c.u(6)));
  }
  output(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  section(c, "Input");
  input_.draw(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  display(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  model(c);
  ImGui::EndChild();
}

}  // namespace mambo::gui
