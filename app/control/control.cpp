#include "app/control/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

constexpr double kKneeTravel = 0.8;

constexpr bool in_table_order() {
  for (std::size_t i = 0; i < kControls; ++i) {
    if (kControlTable[i].id != static_cast<ControlId>(i)) return false;
  }
  return true;
}
static_assert(in_table_order(), "control_spec() finds a control by its place");

}  // namespace

const char* scope_name(Scope scope) {
  switch (scope) {
    case Scope::session:
      return "session";
    case Scope::voice:
      return "voice";
    case Scope::layer:
      return "layer";
    case Scope::tier:
      return "tier";
    case Scope::output:
      return "output";
  }
  return "session";
}

const char* kind_name(ControlKind kind) {
  switch (kind) {
    case ControlKind::real:
      return "real";
    case ControlKind::integer:
      return "integer";
    case ControlKind::toggle:
      return "toggle";
    case ControlKind::trigger:
      return "trigger";
    case ControlKind::whole64:
      return "whole64";
  }
  return "real";
}

const char* taper_name(Taper taper) {
  switch (taper) {
    case Taper::linear:
      return "linear";
    case Taper::logarithmic:
      return "logarithmic";
    case Taper::knee:
      return "knee";
  }
  return "linear";
}

const ControlSpec* find_control(std::string_view key) {
  const auto* const it = std::find_if(kControlTable.begin(), kControlTable.end(),
                                      [&](const ControlSpec& s) { return key == s.key; });
  return it == kControlTable.end() ? nullptr : it;
}

bool in_range(const ControlSpec& spec, const ControlValue& value) {
  if (spec.kind == ControlKind::whole64 || spec.kind == ControlKind::trigger) return true;
  if (!(value.real >= spec.min && value.real <= spec.max)) return false;  // NaN too
  return spec.kind == ControlKind::real || std::floor(value.real) == value.real;
}

ControlValue clamped(const ControlSpec& spec, const ControlValue& value) {
  if (spec.kind == ControlKind::whole64 || spec.kind == ControlKind::trigger) return value;
  if (std::isnan(value.real)) return spec.normal;
  const double real = std::clamp(value.real, spec.min, spec.max);
  return {spec.kind == ControlKind::real ? real : std::round(real), value.whole};
}

double travel_of(const ControlSpec& spec, double value) {
  value = std::clamp(value, spec.min, spec.max);
  switch (spec.taper) {
    case Taper::linear:
      break;
    case Taper::logarithmic:
      return std::log(value / spec.min) / std::log(spec.max / spec.min);
    case Taper::knee:
      if (value <= spec.knee) return kKneeTravel * (value - spec.min) / (spec.knee - spec.min);
      return kKneeTravel + (1 - kKneeTravel) * (value - spec.knee) / (spec.max - spec.knee);
  }
  return (value - spec.min) / (spec.max - spec.min);
}

double value_at(const ControlSpec& spec, double travel) {
  travel = std::clamp(travel, 0.0, 1.0);
  double value = spec.min + travel * (spec.max - spec.min);
  if (spec.taper == Taper::logarithmic) {
    value = spec.min * std::pow(spec.max / spec.min, travel);
  } else if (spec.taper == Taper::knee) {
    value = travel <= kKneeTravel
                ? spec.min + travel / kKneeTravel * (spec.knee - spec.min)
                : spec.knee + (travel - kKneeTravel) / (1 - kKneeTravel) * (spec.max - spec.knee);
  }
  return clamped(spec, {value, 0}).real;
}

std::string range_text(const ControlSpec& spec) {
  if (spec.kind == ControlKind::whole64) return "0 to 2^64 - 1";
  const std::string space = *spec.unit == '\0' ? "" : " ";
  return fmt::format("{:.15g} to {:.15g}{}{}", spec.min, spec.max, space, spec.unit);
}

void ControlChoice::say(const SamplingParams& sampling) {
  say(ControlId::temperature, sampling.temperature);
  say(ControlId::top_k, sampling.top_k);
  say(ControlId::top_p, sampling.top_p);
}

ControlValue resolve(const ControlSpec& spec, const ControlChoice& command_line,
                     const ControlChoice& last, const ControlChoice& model) {
  for (const ControlChoice* choice : {&command_line, &last, &model}) {
    if (const auto& said = (*choice)[spec.id]) return *said;
  }
  return spec.normal;
}

ControlChoice resolve_for_model(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model) {
  ControlChoice out;
  for (const ControlSpec& spec : kControlTable) {
    if (command_line[spec.id] || last[spec.id] || model[spec.id]) {
      out[spec.id] = resolve(spec, command_line, last, model);
    }
  }
  return out;
}

SamplingParams resolve_sampling(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model) {
  const auto value = [&](ControlId id) {
    return resolve(control_spec(id), command_line, last, model).real;
  };
  return {static_cast<float>(value(ControlId::temperature)),
          static_cast<int>(value(ControlId::top_k)), static_cast<float>(value(ControlId::top_p))};
}

}  // namespace mambo
