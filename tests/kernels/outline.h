// The view of a network without weights: tensors have sizes and no data. For what looks at shapes
// alone, at sizes whose weights would fill the memory.
#pragma once

#include <cstddef>

#include "kernels/random_network.h"

namespace mambo::testing {

// Layers stand as in RandomNetwork.
inline NetworkView outline(const NetworkShape& s) {
  NetworkView net;
  net.d_state = s.N;
  net.d_conv = s.K;
  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  const auto layers = [&](int tier, Side side) {
    for (int i = 0; i < s.layers[size(tier)]; ++i) {
      LayerView l;
      l.tier = tier;
      l.side = side;
      const bool s6 = s.mixers.empty() || s.mixers[size(tier)] == Mixer::s6;
      const TierView& t = net.tiers[size(tier)];
      TensorView A_log;
      A_log.rows = t.d_inner;
      A_log.cols = s6 ? s.N : s.M[net.layers.size() % s.M.size()];
      if (s6) {
        S6View view;
        view.A_log = A_log;
        view.rank = s.rank > 0 ? s.rank : (t.width + 15) / 16;
        l.params = view;
      } else {
        S4dView view;
        view.A_log = A_log;
        l.params = view;
      }
      net.layers.push_back(l);
    }
    return static_cast<int>(net.layers.size());
  };
  int width = s.d_model;
  int stride = 1;
  const int tiers = static_cast<int>(s.layers.size());
  for (int t = 0; t < tiers; ++t) {
    TierView tier;
    tier.width = width;
    tier.d_inner = s.expand * width;
    tier.stride = stride;
    tier.pool = size(t) < s.pool.size() ? s.pool[size(t)] : 0;
    if (tier.pool > 0) stride *= tier.pool;
    net.tiers.push_back(tier);
    width *= s.widen;
  }
  for (int t = 0; t < tiers; ++t) {
    net.tiers[size(t)].down_begin = static_cast<int>(net.layers.size());
    net.tiers[size(t)].down_end = layers(t, t + 1 == tiers ? Side::center : Side::down);
  }
  for (int t = tiers - 2; t >= 0; --t) {
    net.tiers[size(t)].up_begin = static_cast<int>(net.layers.size());
    net.tiers[size(t)].up_end = layers(t, Side::up);
  }
  return net;
}

}  // namespace mambo::testing
