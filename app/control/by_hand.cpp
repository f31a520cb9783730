#include "app/control/by_hand.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"

namespace mambo {

void expect_settings(std::span<const LayerSetting> settings, const NetworkView& net,
                     const Engine& engine) {
  const LayerMap layers(net);
  for (const LayerSetting& s : settings) {
    const std::string why = layers.why_not(s.target, s.id);
    if (!why.empty()) throw Error(why);
    if (engine.plays_by_hand()) continue;
    throw Error(
        fmt::format("{}: expected an engine on which selectivity can be played by hand, found {}; "
                    "--backend cpu is one",
                    layer_setting_name(s), engine.description()));
  }
}

bool wants_means(std::span<const LayerSetting> settings) {
  return std::any_of(settings.begin(), settings.end(), [](const LayerSetting& s) {
    const bool holds =
        s.id == ControlId::hold_delta || s.id == ControlId::hold_B || s.id == ControlId::hold_C;
    return holds && s.value != 0;
  });
}

void expect_means(const SelectionMeans& means, const NetworkView& net, std::uint64_t samples) {
  if (!means.empty()) return;
  throw Error(
      fmt::format("a hold is at the mean over the clip: expected a clip of at least {} samples (a "
                  "step of every layer), found {}",
                  net.tiers.back().stride, samples));
}

void apply_settings(std::span<const LayerSetting> settings, Patch& patch) {
  for (const LayerSetting& s : settings) {
    ControlEvent e;
    e.id = s.id;
    e.target = s.target;
    e.value.real = s.value;
    patch.apply(e);
  }
}

void apply_settings(std::span<const LayerSetting> settings, const NetworkView& net,
                    Selectivity& to) {
  Patch patch;
  patch.set_layers(LayerMap(net));
  apply_settings(settings, patch);
  ByHand().hand_over(patch, to);
}

LayerSelectivity selectivity_of(const Patch& patch, int layer) {
  const auto value = [&](ControlId id) { return static_cast<float>(patch.layer(id, layer)); };
  return {value(ControlId::delta_scale), value(ControlId::hold_delta), value(ControlId::hold_B),
          value(ControlId::hold_C), value(ControlId::read)};
}

void ByHand::hand_over(const Patch& patch, Selectivity& to) {
  if (patch.layer_version() == known_) return;
  known_ = patch.layer_version();
  for (int layer = 0; layer < patch.layers().size(); ++layer) {
    const LayerSelectivity wanted = selectivity_of(patch, layer);
    if (wanted != to.of(layer)) to.set(layer, wanted);
  }
}

void forget(const Patch& patch, const ControlEvent& event, Voice& voice) {
  const auto factor = static_cast<float>(event.value.real);
  for (int layer = 0; layer < patch.layers().size(); ++layer) {
    if (patch.layers().reaches(event.target, ControlId::forget, layer)) voice.forget(layer, factor);
  }
}

}  // namespace mambo
