// What the command line, a preset, the last session and a model say of the controls, and which of
// them holds. Any thread; allocates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/control/control.h"
#include "app/control/target.h"

namespace mambo {

// A value of a layer's control, for the layers of a target.
struct LayerSetting {
  ControlId id = ControlId::delta_scale;
  std::int16_t target = kAllTargets;
  double value = 0;
  bool operator==(const LayerSetting&) const = default;
};

// What one source says of the controls: the command line, a preset or the last session, a model.
// Controls that it does not speak of are empty.
class ControlChoice {
 public:
  std::optional<ControlValue>& operator[](ControlId id) {
    return values_[static_cast<std::size_t>(id)];
  }
  const std::optional<ControlValue>& operator[](ControlId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  void say(ControlId id, double value) { (*this)[id] = ControlValue{value, 0}; }
  void say_whole(ControlId id, std::uint64_t value) { (*this)[id] = ControlValue{0, value}; }
  void say(const SamplingParams& sampling);  // kSamplingControls
  bool operator==(const ControlChoice&) const = default;

  // Of layers, one after the other: a later one holds where both reach.
  std::vector<LayerSetting> layers;

 private:
  std::array<std::optional<ControlValue>, kControls> values_;
};

// Precedence, decided here alone: the command line, then the preset or what the
// last session left, then the model's maker (about.defaults in its file), then the table.
ControlValue resolve(const ControlSpec& spec, const ControlChoice& command_line,
                     const ControlChoice& last, const ControlChoice& model);

// What holds when a model is opened: what a model can speak of (kSamplingControls), resolved, and
// of the rest what the command line or the last session says; of layers both, the
// command line after the other.
ControlChoice resolve_for_model(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model);
// Those that the draw takes, resolved.
SamplingParams resolve_sampling(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model);

// "hold_B.tier1", "temperature": a control by its key, and of a layer's the target; without one it
// is all. Throws Error, one sentence: what was expected, and found.
struct NamedControl {
  const ControlSpec* spec = nullptr;
  std::int16_t target = kAllTargets;
};
NamedControl parse_control_name(std::string_view name);
std::string layer_setting_name(const LayerSetting& setting);  // "hold_B.tier1"

// "hold_B.tier1=1", "temperature=0.9": a value of a control of these scopes, said in `choice`. What
// happens once, and play, have none to be said beforehand. Throws Error likewise.
void say_assignment(ControlChoice& choice, std::string_view assignment,
                    std::span<const Scope> scopes);

// The same with fewer words: without what a later one replaces, in the table's order, and without
// what is everywhere at the table's default.
std::vector<LayerSetting> in_short(const std::vector<LayerSetting>& values);

}  // namespace mambo
