// The shapes in a network's records: all that does not need its weights.
#include <algorithm>

#include "kernels/cuda/pack/by_hand_table.h"
#include "kernels/cuda/pack/device_network.h"
#include "kernels/error.h"

namespace mambo::cuda {
namespace {

LayerDev layer_record(const NetworkView& net, const StatePlan& plan, std::size_t i) {
  const LayerView& view = net.layers[i];
  const TierView& tier = net.tier_of(view);
  const bool s4d = view.mixer() == Mixer::s4d;
  LayerDev l{};
  l.mixer = view.mixer();
  l.tier = view.tier;
  l.width = tier.width;
  l.wp = padded(tier.width, 32);
  l.dp = plan.layers[i].dp;
  l.h_floats = plan.layers[i].hp;
  l.second = s4d ? l.h_floats : padded(view.dt_rank(), 4);
  l.rp = padded(view.dt_rank(), 16);
  l.xp = s4d ? 0 : l.rp + 2 * plan.np;
  l.record_floats = 8 * l.h_floats + 8 * l.second + 16 + 8 * net.d_conv + 24;
  l.conv_at = static_cast<std::uint32_t>(plan.layers[i].conv);
  l.h_at = static_cast<std::uint32_t>(plan.layers[i].h);
  return l;
}

TierDev tier_record(const TierView& view) {
  TierDev t{};
  static_cast<TierShape&>(t) = static_cast<const TierShape&>(view);
  t.wp = padded(view.width, 32);
  return t;
}

}  // namespace

NetworkRecords network_records(const NetworkView& net, const StatePlan& plan,
                               WeightStorage storage) {
  if (net.tiers.size() > static_cast<std::size_t>(kMaxTiers)) {
    throw DeviceError("the CUDA engine runs models of at most " + std::to_string(kMaxTiers) +
                      " tiers, found " + std::to_string(net.tiers.size()));
  }
  NetworkRecords r;
  r.storage = storage;
  const ByHandTable by_hand(net, plan);
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    LayerDev l = layer_record(net, plan, i);
    l.tap_at = static_cast<std::uint32_t>(r.tap_floats);
    l.by_hand_at = by_hand.at(i);
    const int stride = net.tiers[static_cast<std::size_t>(l.tier)].stride;
    r.tap_floats +=
        static_cast<std::size_t>(kMaxSteps / stride + 1) * static_cast<std::size_t>(l.dp);
    r.layers.push_back(l);
  }
  for (std::size_t s = 0; s < net.tiers.size(); ++s) {
    TierDev t = tier_record(net.tiers[s]);
    if (t.pool > 0) {
      t.pool_buffer_at = static_cast<std::uint32_t>(plan.pools[s].group);
      t.skip_at = static_cast<std::uint32_t>(plan.pools[s].up);
    }
    r.tiers.push_back(t);
  }
  r.view.logits_at = static_cast<std::uint32_t>(plan.logits);
  r.view.n_layers = static_cast<int>(r.layers.size());
  r.view.n_tiers = static_cast<int>(r.tiers.size());
  r.view.K = net.d_conv;
  r.view.np = plan.np;
  r.view.vocab = net.vocab;
  r.view.vp = plan.vp;
  r.view.eps = net.norm_eps;
  return r;
}

}  // namespace mambo::cuda
