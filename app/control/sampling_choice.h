// What the user says of the draw on the command line; what is not said is the model's own, or
// whatever else stands below.
#pragma once

#include <optional>

#include "kernels/sampling.h"

namespace mambo {

struct SamplingChoice {
  std::optional<float> temperature;
  std::optional<int> top_k;
  std::optional<float> top_p;

  SamplingParams with(const SamplingParams& below) const {
    return {temperature.value_or(below.temperature), top_k.value_or(below.top_k),
            top_p.value_or(below.top_p)};
  }
};

}  // namespace mambo
