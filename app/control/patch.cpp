#include "app/control/patch.h"

#include <cmath>

#include "app/control/sampling_controls.h"

namespace mambo {

const char* source_name(Source source) {
  switch (source) {
    case Source::start:
      return "start";
    case Source::owner:
      return "owner";
    case Source::preset:
      return "preset";
    case Source::engine:
      return "engine";
  }
  return "owner";
}

Patch::Patch() {
  for (const ControlSpec& spec : kControlTable)
    values_[static_cast<std::size_t>(spec.id)] = spec.normal;
  reset_layers();
}

void Patch::set(ControlId id, const ControlValue& value) {
  const auto i = static_cast<std::size_t>(id);
  values_[i] = clamped(control_spec(id), value);
  if (ramps_[i].length != 0) --moving_;
  ramps_[i].length = 0;
}

void Patch::set(const SamplingParams& sampling) {
  for (const ControlId id : kSamplingControls) set(id, {sampling_value(sampling, id), 0});
}

void Patch::apply(const ControlEvent& event) {
  const auto i = static_cast<std::size_t>(event.id);
  if (i >= kControls) return;
  const ControlSpec& spec = control_spec(event.id);
  if (spec.happens()) return;
  advance(event.at);
  if (layer_value(event.id) < kLayerValues) return apply_to_layers(event);
  const double from = values_[i].real;
  set(event.id, event.value);
  if (event.ramp == 0 || spec.scope == Scope::output || spec.scope == Scope::session ||
      !spec.ramps()) {
    return;
  }
  ramps_[i] = {from, values_[i].real, event.at, event.ramp};
  values_[i].real = from;
  ++moving_;
}

void Patch::advance(std::uint64_t position) {
  if (moving_ == 0) return;
  const std::uint64_t grid = position / kRampGrid * kRampGrid;
  for (std::size_t i = 0; i < kControls; ++i) {
    Ramp& ramp = ramps_[i];
    if (ramp.length == 0 || grid < ramp.start) continue;
    if (ramp.arrived_by(grid)) {
      values_[i].real = ramp.to;
      ramp.length = 0;
      --moving_;
      continue;
    }
    const double value = ramp.at(grid);
    const bool whole = kControlTable[i].kind == ControlKind::integer;
    values_[i].real = whole ? std::round(value) : value;
  }
  if (layers_moving_ > 0) advance_layers(grid);
}

std::uint64_t Patch::next_change(std::uint64_t position) const {
  return moving_ == 0 ? kNever : (position / kRampGrid + 1) * kRampGrid;
}

void Patch::settle() {
  for (std::size_t i = 0; i < kControls; ++i) {
    if (ramps_[i].length != 0) values_[i].real = ramps_[i].to;
    ramps_[i].length = 0;
  }
  for (Layer& layer : layers_) {
    for (std::size_t v = 0; v < kLayerValues && layers_moving_ > 0; ++v) {
      if (layer.ramps[v].length != 0) set_layer(layer, v, layer.ramps[v].to);
    }
  }
  moving_ = 0;
}

void Patch::set_layers(const LayerMap& layers) {
  settle();
  if (layers == map_) return;
  map_ = layers;
  layers_.assign(static_cast<std::size_t>(map_.size()), Layer{});
  for (int l = 0; l < map_.size(); ++l) {
    Layer& layer = layers_[static_cast<std::size_t>(l)];
    for (std::size_t v = 0; v < kLayerValues; ++v) {
      const ControlId id = layer_value_id(v);
      const Said& said = said_[v];
      const auto tier = static_cast<std::size_t>(map_.tier(l));
      const bool of_tier = tier < said.tiers.size() && said.tiers[tier].has_value();
      layer.values[v] = control_spec(id).normal.real;
      if (map_.takes(id, l)) layer.values[v] = of_tier ? *said.tiers[tier] : said.all;
    }
  }
  ++layer_version_;
}

void Patch::reset_layers() {
  bool changed = false;
  for (std::size_t v = 0; v < kLayerValues; ++v) {
    const double normal = control_spec(layer_value_id(v)).normal.real;
    said_[v] = Said{};
    said_[v].all = normal;
    for (Layer& layer : layers_) {
      changed = changed || layer.values[v] != normal || layer.ramps[v].length != 0;
      set_layer(layer, v, normal);
    }
  }
  if (changed) ++layer_version_;
}

void Patch::set_layer(Layer& layer, std::size_t value, double to) {
  Ramp& ramp = layer.ramps[value];
  if (ramp.length == 0 && layer.values[value] == to) return;
  layer.values[value] = to;
  if (ramp.length != 0) {
    ramp.length = 0;
    --moving_;
    --layers_moving_;
  }
  ++layer_version_;
}

void Patch::apply_to_layers(const ControlEvent& event) {
  const std::size_t v = layer_value(event.id);
  const double to = clamped(control_spec(event.id), event.value).real;
  if (event.target == kAllTargets) {
    said_[v] = Said{};
    said_[v].all = to;
  } else if (const int tier = tier_of_target(event.target); tier >= 0 && tier < kMostTiers) {
    said_[v].tiers[static_cast<std::size_t>(tier)] = to;
  }
  for (int l = 0; l < map_.size(); ++l) {
    if (!map_.reaches(event.target, event.id, l)) continue;
    Layer& layer = layers_[static_cast<std::size_t>(l)];
    const double from = layer.values[v];
    if (event.ramp == 0 || from == to) {
      set_layer(layer, v, to);
      continue;
    }
    set_layer(layer, v, from);  // ends a ramp under way
    layer.ramps[v] = {from, to, event.at, event.ramp};
    ++moving_;
    ++layers_moving_;
    ++layer_version_;
  }
}

void Patch::advance_layers(std::uint64_t grid) {
  for (Layer& layer : layers_) {
    for (std::size_t v = 0; v < kLayerValues; ++v) {
      const Ramp& ramp = layer.ramps[v];
      if (ramp.length == 0 || grid < ramp.start) continue;
      if (ramp.arrived_by(grid)) {
        set_layer(layer, v, ramp.to);
      } else if (const double value = ramp.at(grid); value != layer.values[v]) {
        layer.values[v] = value;
        ++layer_version_;
      }
    }
  }
}

double Patch::layer_goal(ControlId id, int layer) const {
  const Layer& l = layers_[static_cast<std::size_t>(layer)];
  const Ramp& ramp = l.ramps[layer_value(id)];
  return ramp.length != 0 ? ramp.to : l.values[layer_value(id)];
}

bool Patch::same_over(std::int16_t target, ControlId id, double& value) const {
  bool first = true;
  for (int l = 0; l < map_.size(); ++l) {
    if (!map_.reaches(target, id, l)) continue;
    if (!first && layer(id, l) != value) return false;
    value = layer(id, l);
    first = false;
  }
  return !first;
}

SamplingParams Patch::sampling() const {
  return sampling_of([this](ControlId id) { return (*this)[id].real; });
}

}  // namespace mambo
