#include "model/sanity.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mambo {

std::string why_not_drawn_from(std::span<const float> logits) {
  const bool nan = std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
  if (nan) return "the model's outputs are NaN, so it computes beyond what numbers can hold";
  const float top = logits.empty() ? 0.0F : *std::max_element(logits.begin(), logits.end());
  std::array<char, 160> words{};
  std::snprintf(words.data(), words.size(),
                "the model's outputs are absurd: expected logits up to %g, found %g",
                static_cast<double>(kLargestLogit), static_cast<double>(top));
  return words.data();
}

}  // namespace mambo
