// The controls that are fields of SamplingParams: from values to the fields and back, in one place.
#pragma once

#include <array>

#include "app/control/control.h"
#include "kernels/sampling.h"

namespace mambo {

inline constexpr std::array kSamplingControls = {ControlId::temperature, ControlId::top_k,
                                                 ControlId::top_p,       ControlId::min_p,
                                                 ControlId::floor,       ControlId::gate};

// Of one of kSamplingControls.
constexpr double sampling_value(const SamplingParams& p, ControlId id) {
  switch (id) {
    case ControlId::temperature:
      return p.temperature;
    case ControlId::top_k:
      return p.top_k;
    case ControlId::top_p:
      return p.top_p;
    case ControlId::min_p:
      return p.min_p;
    case ControlId::floor:
      return p.floor;
    case ControlId::gate:
      return p.gate;
    default:
      return 0;
  }
}

// value(id) is a double, for each of them.
template <class ValueOf>
constexpr SamplingParams sampling_of(const ValueOf& value) {
  SamplingParams p;
  p.temperature = static_cast<float>(value(ControlId::temperature));
  p.top_k = static_cast<int>(value(ControlId::top_k));
  p.top_p = static_cast<float>(value(ControlId::top_p));
  p.min_p = static_cast<float>(value(ControlId::min_p));
  p.floor = static_cast<float>(value(ControlId::floor));
  p.gate = static_cast<float>(value(ControlId::gate));
  return p;
}

}  // namespace mambo
