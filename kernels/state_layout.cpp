#include "kernels/state_layout.h"

#include <algorithm>

namespace mambo {

StateLayout::StateLayout(const NetworkView& net) {
  const auto take = [this](std::size_t floats) {
    const std::size_t at = size;
    size += floats;
    return at;
  };
  for (const LayerView& layer : net.layers) {
    Layer l{};
    l.d_inner = net.tier_of(layer).d_inner;
    l.tier = layer.tier;
    l.states = layer.states();
    l.parts = mixer_info(layer.mixer()).state_parts;
    l.selects = !layer.time_invariant();
    l.conv = take(static_cast<std::size_t>(net.d_conv - 1) * static_cast<std::size_t>(l.d_inner));
    l.h = take(l.h_size());
    layers.push_back(l);
  }
  for (const TierView& tier : net.tiers) {
    if (tier.pool == 0) continue;
    const std::size_t rows =
        static_cast<std::size_t>(tier.pool) * static_cast<std::size_t>(tier.width);
    Pool p{};
    p.pool = tier.pool;
    p.width = tier.width;
    p.stride = tier.stride;
    p.group = take(rows);
    p.up = take(rows);
    pools.push_back(p);
  }
  logits = take(static_cast<std::size_t>(net.vocab));
}

void StateLayout::clear_open_groups(std::span<float> state, std::uint64_t position) const {
  for (const Pool& p : pools) {
    const std::uint64_t filled =
        position / static_cast<std::uint64_t>(p.stride) % static_cast<std::uint64_t>(p.pool);
    const auto width = static_cast<std::size_t>(p.width);
    const auto group = state.subspan(p.group, static_cast<std::size_t>(p.pool) * width);
    std::fill(group.begin() + static_cast<std::ptrdiff_t>(filled * width), group.end(), 0.0F);
  }
}

}  // namespace mambo
