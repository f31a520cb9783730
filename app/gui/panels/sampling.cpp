#include "app/gui/panels/sampling.h"

#include <cmath>
#include <random>

#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

void section(const Context& c, const char* title) {
  ImGui::Dummy(ImVec2(0, c.u(2)));
  text_in(c.theme.strong, colour::text, title);
  ImGui::Dummy(ImVec2(0, c.u(1)));
}

}  // namespace

void SamplingPanel::sampling(Context& c) {
  section(c, "Sampling");
  SamplingParams& p = c.settings.sampling;
  const SamplingParams& own = c.facts.sampling;
  const Words temperature_tip(
      "How daring the draw is: 0 always takes the most likely sample, 1 is the model as it was "
      "trained, more is noisier. {} Ctrl-click: type a value.",
      own_words(own.temperature).c_str());
  const Words top_k_tip("Draw only from the k most likely of the 256 codes; 0 is off. {}",
                        own_words(static_cast<float>(own.top_k), 0).c_str());
  const Words top_p_tip(
      "Draw only from the most likely codes that together have this share of the probability; 1 is "
      "off. {}",
      own_words(own.top_p, 1).c_str());
  const SliderSpec temperature = {.label = "Temperature",
                                  .format = "%.2f",
                                  .tooltip = temperature_tip.c_str(),
                                  .lo = 0,
                                  .hi = 2,
                                  .normal = own.temperature};
  const SliderSpec top_k = {.label = "Top k",
                            .format = "%.0f codes",
                            .tooltip = top_k_tip.c_str(),
                            .lo = 0,
                            .hi = 256,
                            .normal = static_cast<float>(own.top_k),
                            .off = 0};
  const SliderSpec top_p = {.label = "Top p",
                            .format = "%.3f",
                            .tooltip = top_p_tip.c_str(),
                            .lo = 0,
                            .hi = 1,
                            .normal = own.top_p,
                            .off = 1};
  bool changed = slider(c.theme, temperature, p.temperature).changed;
  float k = static_cast<float>(p.top_k);
  if (slider(c.theme, top_k, k).changed) {
    p.top_k = static_cast<int>(std::lround(k));
    changed = true;
  }
  changed |= slider(c.theme, top_p, p.top_p).changed;
  if (changed) c.session.set_sampling(p);

  text_in(c.theme.small, colour::dim, "Random seed");
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() - c.u(3));
  const float dice = c.u(58);
  ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - dice - c.u(6));
  constexpr std::uint64_t one = 1;
  bool seeded = ImGui::InputScalar("##seed", ImGuiDataType_U64, &c.settings.rng_seed, nullptr,
                                   nullptr, "%llu");
  if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) {
    c.settings.rng_seed = one;
    seeded = true;
  }
  tooltip(c.theme,
          "The same seed, clip and controls make the same music, sample for sample. Used from the "
          "next Again on. Double click: 1.");
  ImGui::SameLine(0, c.u(6));
  if (ImGui::Button("New", ImVec2(dice, 0))) {
    c.settings.rng_seed = std::random_device{}() % 1000000U;
    seeded = true;
  }
  tooltip(c.theme, "Another random seed");
  if (seeded) c.session.set_rng_seed(c.settings.rng_seed);
}

void SamplingPanel::device_choice(Context& c) {
  text_in(c.theme.small, colour::dim, "Device");
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() - c.u(3));
  const char* shown = c.status.silent           ? "none: silent clock"
                      : c.status.device.empty() ? "default"
                                                : c.status.device.c_str();
  const ImVec2 size(ImGui::GetContentRegionAvail().x, ImGui::GetFrameHeight());
  if (choice_button(c.theme, "##device", shown, size)) {
    devices_.refresh();
    ImGui::OpenPopup("devices");
  }
  tooltip(c.theme, c.status.silent
                       ? "There is no sound device: the program runs on, clocked by a timer, and "
                         "can record."
                       : shown);
  if (ImGui::BeginPopup("devices")) {
    const auto choose = [&c](const std::string& name) {
      c.settings.device = name;
      c.session.set_device(name);
    };
    if (ImGui::Selectable("default", c.settings.device.empty())) choose("");
    for (const AudioDeviceInfo& d : devices_.get()) {
      if (ImGui::Selectable(d.name.c_str(), d.name == c.settings.device)) choose(d.name);
      tooltip(c.theme,
              Words("{} output channels, {} by default, {} to {}", d.channels,
                    hertz_words(d.default_rate).c_str(), seconds_words(d.low_latency_s).c_str(),
                    seconds_words(d.high_latency_s).c_str())
                  .c_str());
    }
    if (devices_.asking()) text_in(c.theme.small, colour::dim, "asking for devices\u2026");
    if (!devices_.asking() && devices_.get().empty()) {
      text_in(c.theme.small, colour::dim, "no sound device was found");
    }
    ImGui::EndPopup();
  }
}

void SamplingPanel::output(Context& c) {
  section(c, "Output");
  static constexpr SliderSpec level = {
      .label = "Level",
      .format = "%+.1f dB",
      .tooltip = "Loudness; a limiter keeps it from clipping. Double click: 0 dB.",
      .lo = lowest_level_db,
      .hi = highest_level_db,
      .normal = 0};
  static constexpr SliderSpec latency = {
      .label = "Latency",
      .format = "%.0f ms",
      .tooltip =
          "How much sound is kept ready, ring and device together. Less answers faster to "
          "the controls, more survives a busy machine. Double click: 60 ms.",
      .lo = 10,
      .hi = 500,
      .normal = 60,
      .logarithmic = true};
  if (slider(c.theme, level, c.settings.level_db).changed) {
    c.session.set(ControlId::level, c.settings.level_db);
  }
  float ms = static_cast<float>(c.settings.latency_s * 1000);
  const bool settled = slider(c.theme, latency, ms).settled;
  c.settings.latency_s = static_cast<double>(ms) / 1000;
  if (settled)
    c.session.set(ControlId::latency, 1e3 * c.settings.latency_s);  // it may reopen the device
  device_choice(c);
  if (c.status.device_rate > 0) {
    text_in(c.theme.small, colour::dim,
            Words("{} model, {} device", hertz_words(c.history.rate()).c_str(),
                  hertz_words(c.status.device_rate).c_str())
                .c_str());
  }
}

void SamplingPanel::display(Context& c) {
  section(c, "Display");
  text_in(c.theme.small, colour::dim, "Colours of \u0394");
  int map = c.settings.colour_map == static_cast<int>(ColourMap::cividis) ? 1 : 0;
  if (segmented(c.theme, "map", {"viridis", "cividis"}, map,
                "Both are perceptually even; cividis looks nearly the same to everyone")) {
    c.settings.colour_map = static_cast<int>(map == 1 ? ColourMap::cividis : ColourMap::viridis);
  }
}

void SamplingPanel::model(const Context& c) {
  if (!c.has_model()) return;
  section(c, "Model");
  const ModelStats& s = c.facts.model->stats();
  const auto row = [&c](const char* what, const Words& value) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float width = ImGui::GetContentRegionAvail().x;
    ImDrawList& list = *ImGui::GetWindowDrawList();
    draw_text(list, c.theme.small, ImVec2(at.x, at.y + c.u(8)), 0, 0.5F, colour::dim, what);
    draw_text(list, c.theme.small, ImVec2(at.x + width, at.y + c.u(8)), 1, 0.5F, colour::text,
              value.c_str());
    ImGui::Dummy(ImVec2(width, c.u(13)));
  };
  row("parameters", Words("{:.2f} M", static_cast<double>(s.parameters) / 1e6));
  row("layers", Words("{} in {} tier{}", c.facts.layers.size(), c.facts.model->config().tiers(),
                      c.facts.model->config().tiers() == 1 ? "" : "s"));
  row("states a channel", Words("{}", c.facts.states));
  row("multiply-adds a sample", Words("{:.2f} M", s.macs_per_sample_mean / 1e6));
}

void SamplingPanel::draw(Context& c, ImVec2 min, ImVec2 max) {
  ImGui::SetCursorScreenPos(min);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.u(14), c.u(8)));
  ImGui::BeginChild("controls", ImVec2(max.x - min.x, max.y - min.y), true,
                    ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_AlwaysUseWindowPadding);
  ImGui::PopStyleVar();
  sampling(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  output(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  display(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  model(c);
  ImGui::EndChild();
}

}  // namespace mambo::gui
