#include "app/gui/panel_sampling.h"

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
  bool changed = slider(c.theme,
                        {"Temperature", p.temperature == 0 ? "most likely only" : "%.2f",
                         "How daring the draw is: 0 always takes the most likely sample, 1 is the "
                         "model as it was "
                         "trained, more is noisier. Double click: 1. Ctrl-click: type a value.",
                         0, 2, 1},
                        p.temperature)
                     .changed;
  float top_k = static_cast<float>(p.top_k);
  if (slider(c.theme,
             {"Top k", p.top_k == 0 ? "off" : "%.0f codes",
              "Draw only from the k most likely of the 256 codes; 0 is off. Double click: off.", 0,
              256, 0},
             top_k)
          .changed) {
    p.top_k = static_cast<int>(std::lround(top_k));
    changed = true;
  }
  changed |=
      slider(
          c.theme,
          {"Top p", p.top_p >= 1 ? "off" : "%.3f",
           "Draw only from the most likely codes that together have this share of the probability; "
           "1 is off. Double click: off.",
           0, 1, 1},
          p.top_p)
          .changed;
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
  ImGui::SetNextItemWidth(-1);
  const char* shown = c.status.silent           ? "none: silent clock"
                      : c.status.device.empty() ? "default"
                                                : c.status.device.c_str();
  if (ImGui::BeginCombo("##device", shown)) {
    if (ImGui::IsWindowAppearing()) devices_.refresh();
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
    ImGui::EndCombo();
  }
  tooltip(c.theme, c.status.silent
                       ? "There is no sound device: the program runs on, clocked by a timer, and "
                         "can record."
                       : c.status.device.c_str());
}

void SamplingPanel::output(Context& c) {
  section(c, "Output");
  if (slider(c.theme,
             {"Level", c.settings.level_db <= lowest_level_db ? "\u221260 dB" : "%+.1f dB",
              "Loudness; a limiter keeps it from clipping. Double click: 0 dB.", lowest_level_db,
              highest_level_db, 0},
             c.settings.level_db)
          .changed) {
    c.session.set_level_db(c.settings.level_db);
  }
  float ms = static_cast<float>(c.settings.latency_s * 1000);
  const SliderResult latency =
      slider(c.theme,
             {"Latency", "%.0f ms",
              "How much sound is kept ready, ring and device together. Less answers faster to the "
              "controls, more survives a busy machine. Double click: 60 ms.",
              10, 500, 60, true},
             ms);
  c.settings.latency_s = static_cast<double>(ms) / 1000;
  if (latency.settled) c.session.set_latency(c.settings.latency_s);  // it may reopen the device
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

void SamplingPanel::draw(Context& c, ImVec2 min, ImVec2 max) {
  ImGui::SetCursorScreenPos(min);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.u(14), c.u(8)));
  ImGui::BeginChild("controls", ImVec2(max.x - min.x, max.y - min.y), true,
                    ImGuiWindowFlags_NoBackground);
  ImGui::PopStyleVar();
  sampling(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  output(c);
  ImGui::Dummy(ImVec2(0, c.u(6)));
  display(c);
  ImGui::EndChild();
}

}  // namespace mambo::gui
