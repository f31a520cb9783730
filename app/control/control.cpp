#include "app/control/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/control/sampling_controls.h"

namespace mambo {
namespace {

constexpr double kKneeTravel = 0.8;
constexpr double kEndTravel = 0.1;  // of what is below, and above, a useful range
constexpr double kZeroTravel = 0.05;

constexpr bool in_table_order() {
  for (std::size_t i = 0; i < kControls; ++i) {
    if (kControlTable[i].id != static_cast<ControlId>(i)) return false;
  }
  return true;
}
static_assert(in_table_order(), "control_spec() finds a control by its place");

// Where on the travel a useful range begins and ends.
struct Ends {
  double low, high;
};
Ends ends_of(const ControlSpec& spec, const UsefulRange& useful) {
  return {useful.from > spec.min ? kEndTravel : 0, useful.to < spec.max ? 1 - kEndTravel : 1};
}

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
    case ControlKind::impulse:
      return "impulse";
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
    case Taper::logarithmic_from_zero:
      return "logarithmic_from_zero";
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
  return spec.kind == ControlKind::real || spec.kind == ControlKind::impulse ||
         std::floor(value.real) == value.real;
}

ControlValue clamped(const ControlSpec& spec, const ControlValue& value) {
  if (spec.kind == ControlKind::whole64 || spec.kind == ControlKind::trigger) return value;
  if (std::isnan(value.real)) return spec.normal;
  const double real = std::clamp(value.real, spec.min, spec.max);
  const bool any = spec.kind == ControlKind::real || spec.kind == ControlKind::impulse;
  return {any ? real : std::round(real), value.whole};
}

double travel_of(const ControlSpec& spec, double value, const Useful& useful) {
  value = std::clamp(value, spec.min, spec.max);
  if (useful) {
    const Ends e = ends_of(spec, *useful);
    if (value < useful->from) {
      return e.low - e.low * std::sqrt((useful->from - value) / (useful->from - spec.min));
    }
    if (value > useful->to) {
      return e.high + (1 - e.high) * std::sqrt((value - useful->to) / (spec.max - useful->to));
    }
    return e.low + (e.high - e.low) * (value - useful->from) / (useful->to - useful->from);
  }
  switch (spec.taper) {
    case Taper::linear:
      break;
    case Taper::logarithmic:
      return std::log(value / spec.min) / std::log(spec.max / spec.min);
    case Taper::knee:
      if (value <= spec.knee) return kKneeTravel * (value - spec.min) / (spec.knee - spec.min);
      return kKneeTravel + (1 - kKneeTravel) * (value - spec.knee) / (spec.max - spec.knee);
    case Taper::logarithmic_from_zero:
      if (value <= spec.knee) return kZeroTravel * value / spec.knee;
      return kZeroTravel +
             (1 - kZeroTravel) * std::log(value / spec.knee) / std::log(spec.max / spec.knee);
  }
  return (value - spec.min) / (spec.max - spec.min);
}

double value_at(const ControlSpec& spec, double travel, const Useful& useful) {
  travel = std::clamp(travel, 0.0, 1.0);
  double value = spec.min + travel * (spec.max - spec.min);
  if (useful) {
    const Ends e = ends_of(spec, *useful);
    if (travel < e.low) {
      const double part = 1 - travel / e.low;
      value = std::lerp(useful->from, spec.min, part * part);
    } else if (travel > e.high) {
      const double part = (travel - e.high) / (1 - e.high);
      value = std::lerp(useful->to, spec.max, part * part);
    } else {
      value = std::lerp(useful->from, useful->to, (travel - e.low) / (e.high - e.low));
    }
  } else if (spec.taper == Taper::logarithmic) {
    value = spec.min * std::pow(spec.max / spec.min, travel);
  } else if (spec.taper == Taper::knee) {
    value = travel <= kKneeTravel
                ? spec.min + travel / kKneeTravel * (spec.knee - spec.min)
                : spec.knee + (travel - kKneeTravel) / (1 - kKneeTravel) * (spec.max - spec.knee);
  } else if (spec.taper == Taper::logarithmic_from_zero) {
    value = travel <= kZeroTravel
                ? travel / kZeroTravel * spec.knee
                : spec.knee *
                      std::pow(spec.max / spec.knee, (travel - kZeroTravel) / (1 - kZeroTravel));
  }
  return clamped(spec, {value, 0}).real;
}

double stepped(const ControlSpec& spec, double value, int steps) {
  if (spec.step > 0) return clamped(spec, {value + steps * spec.step, 0}).real;
  return value_at(spec, travel_of(spec, value) + 0.01 * steps);
}

std::string range_text(const ControlSpec& spec) {
  if (spec.kind == ControlKind::whole64) return "0 to 2^64 - 1";
  const std::string space = *spec.unit == '\0' ? "" : " ";
  return fmt::format("{:.15g} to {:.15g}{}{}", spec.min, spec.max, space, spec.unit);
}

}  // namespace mambo
