#include "kernels/cuda/pack/by_hand_table.h"

#include <algorithm>
#include <cassert>

namespace mambo::cuda {
namespace {

std::size_t size(int n) { return static_cast<std::size_t>(n); }

}  // namespace

ByHandTable::ByHandTable(const NetworkView& net, const StatePlan& plan) {
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const StatePlan::Layer& l = plan.layers[i];
    const bool selects = l.mixer == Mixer::s6;
    const Layer layer{static_cast<std::uint32_t>(floats_), selects, l.dp,
                      padded(net.layers[i].dt_rank(), 16), plan.np};
    layers_.push_back(layer);
    floats_ += kByHandHead;
    if (selects) floats_ += size(layer.dp) + 2 * size(layer.xp());
  }
}

std::size_t ByHandTable::B_offset(std::size_t layer) const {
  const Layer& l = layers_[layer];
  return size(kByHandHead + l.dp + l.xp() + l.rp);
}

std::size_t ByHandTable::C_offset(std::size_t layer) const {
  return B_offset(layer) + size(layers_[layer].np);
}

void ByHandTable::write(const Selectivity& by_hand, std::span<float> out) const {
  assert(out.size() == floats_);
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& l = layers_[i];
    const Selectivity::Layer& from = by_hand.layers()[i];
    float* part = out.data() + l.at;
    if (!l.selects) {
      part[0] = from.off ? 1.0F : from.read;
      continue;
    }
    float* gain = part + kByHandHead + l.dp;
    std::fill_n(gain, l.xp(), 1.0F);
    part[0] = 1.0F;
    if (from.off) continue;
    part[0] = from.delta_gain;
    std::copy_n(from.delta_offset.begin(), std::min(from.delta_offset.size(), size(l.dp)),
                part + kByHandHead);
    std::fill_n(gain + l.rp, l.np, from.B_gain);
    std::fill_n(gain + l.rp + l.np, l.np, from.C_gain);
    const auto states = std::min(from.B_offset.size(), size(l.np));
    std::copy_n(from.B_offset.begin(), states, part + B_offset(i));
    std::copy_n(from.C_offset.begin(), states, part + C_offset(i));
  }
}

}  // namespace mambo::cuda
