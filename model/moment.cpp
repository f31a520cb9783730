#include "model/moment.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

std::uint32_t weight(double share) {
  if (!(share > 0)) return 0;  // NaN too
  return static_cast<std::uint32_t>(std::lround(std::min(share, 1.0) * Morph::kWhole));
}

}  // namespace

Morph Morph::between(int a, int b, double share, std::uint32_t tiers) {
  Morph m;
  m.slots = {a, b, kNoSlot, kNoSlot};
  m.weights[1] = weight(share);
  m.weights[0] = kWhole - m.weights[1];
  m.tiers = tiers;
  return m;
}

Morph Morph::on_pad(const std::array<int, kMost>& slots, double x, double y, std::uint32_t tiers) {
  Morph m;
  m.slots = slots;
  m.tiers = tiers;
  x = static_cast<double>(weight(x)) / kWhole;
  y = static_cast<double>(weight(y)) / kWhole;
  m.weights = {weight((1 - x) * (1 - y)), weight(x * (1 - y)), weight((1 - x) * y), weight(x * y)};
  for (std::size_t i = 0; i < kMost; ++i) {
    if (m.slots[i] == kNoSlot) m.weights[i] = 0;
  }
  return m;
}

std::uint64_t common_stride(const NetworkView& net) {
  return static_cast<std::uint64_t>(net.tiers.back().stride);
}

}  // namespace mambo
