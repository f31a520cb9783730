#include "kernels/cpu/network.h"

#include <algorithm>

namespace mambo::cpu {
namespace {

Layer make_layer(const NetworkView& net, const LayerView& view, WeightStorage storage) {
  const TierView& tier = net.tier_of(view);
  const int K = net.d_conv;
  Layer l;
  l.tier = view.tier;
  l.width = tier.width;
  l.d_inner = tier.d_inner;
  l.wp = round_up(l.width);
  l.dp = round_up(l.d_inner);
  l.states = view.states();
  l.state_parts = mixer_info(view.mixer()).state_parts;
  const Segments width{l.width, l.wp};
  const Segments inner{l.d_inner, l.dp};
  l.norm = padded_vector(view.w.norm, l.wp);
  l.in_proj =
      make_linear(view.w.in_proj, view.w.in_proj_bias, inner, 2 * l.dp, width, l.wp, storage);
  l.out_proj =
      make_linear(view.w.out_proj, view.w.out_proj_bias, width, l.wp, inner, l.dp, storage);
  l.D = padded_vector(view.w.D, l.dp);
  l.conv_bias = padded_vector(view.w.conv_bias, l.dp);
  const std::vector<float> conv = to_float(view.w.conv);
  l.conv = AlignedBuffer<float>(static_cast<std::size_t>(K) * l.dp);
  for (int c = 0; c < l.d_inner; ++c) {
    for (int k = 0; k < K; ++k) {
      l.conv[static_cast<std::size_t>(k) * l.dp + c] = conv[static_cast<std::size_t>(c) * K + k];
    }
  }
  l.mixer =
      std::visit([&](const auto& p) -> MixerWeights { return pack_mixer(p, l.d_inner, storage); },
                 view.params);
  return l;
}

}  // namespace

Network::Network(const NetworkView& view, WeightStorage weight_storage)
    : vocab(view.vocab),
      vp(round_up(view.vocab)),
      N(view.d_state),
      K(view.d_conv),
      eps(view.norm_eps),
      storage(weight_storage) {
  const int width = view.tiers[0].width;
  const int wp = round_up(width);
  embed = AlignedBuffer<float>(static_cast<std::size_t>(vocab) * wp);
  const std::vector<float> e = to_float(view.embed);
  for (int v = 0; v < vocab; ++v) {
    std::copy_n(e.begin() + static_cast<std::ptrdiff_t>(v) * width, width,
                embed.data() + static_cast<std::ptrdiff_t>(v) * wp);
  }
  norm_f = padded_vector(view.norm_f, wp);
  head = make_linear(view.head, view.head_bias, {vocab, vp}, vp, {width, wp}, wp, storage);
  for (int i = vocab; i < vp; ++i) head.bias[static_cast<std::size_t>(i)] = -1e30F;  // never drawn
  for (const LayerView& l : view.layers) layers.push_back(make_layer(view, l, storage));
  for (std::size_t s = 0; s < view.tiers.size(); ++s) {
    const TierView& t = view.tiers[s];
    Tier out;
    static_cast<TierShape&>(out) = static_cast<const TierShape&>(t);
    out.wp = round_up(t.width);
    if (t.pool > 0) {
      const int inner = view.tiers[s + 1].width;
      const int innerp = round_up(inner);
      out.down_pool = make_linear(t.down_pool, t.down_pool_bias, {inner, innerp}, innerp,
                                  {t.width, out.wp}, t.pool * out.wp, storage);
      out.up_pool = make_linear(t.up_pool, t.up_pool_bias, {t.width, out.wp}, t.pool * out.wp,
                                {inner, innerp}, innerp, storage);
    }
    tiers.push_back(std::move(out));
  }
  weight_bytes += head.bytes() + embed.size() * 4;
  for (const Layer& l : layers) {
    weight_bytes += l.in_proj.bytes() + l.out_proj.bytes() +
                    std::visit([](const auto& m) { return m.bytes(); }, l.mixer) +
                    (l.D.size() + l.conv.size() + l.conv_bias.size() + l.norm.size()) * 4;
  }
  for (const Tier& t : tiers) {
    if (t.pool > 0) weight_bytes += t.down_pool.bytes() + t.up_pool.bytes();
  }
}

StatePlan::StatePlan(const Network& net) {
  std::size_t at = 0;
  const auto take = [&at](std::size_t n) {
    const std::size_t here = at;
    at += (n + kBlock - 1) / kBlock * kBlock;
    return here;
  };
  std::size_t max_dp = 0;
  std::size_t max_wp = 0;
  std::size_t max_projected = 0;
  for (const Layer& l : net.layers) {
    layers.push_back({take(static_cast<std::size_t>(net.K) * l.dp),
                      take(static_cast<std::size_t>(l.h_rows()) * l.dp)});
    max_dp = std::max<std::size_t>(max_dp, l.dp);
    max_projected = std::max<std::size_t>(max_projected, l.projected());
  }
  for (const Tier& t : net.tiers) {
    max_wp = std::max<std::size_t>(max_wp, t.wp);
    if (t.pool == 0) continue;
    const std::size_t n = static_cast<std::size_t>(t.pool) * t.wp;
    pools.push_back({take(n), take(n)});
  }
  logits = take(static_cast<std::size_t>(net.vp));
  persistent = at;
  for (const Tier& t : net.tiers) {
    x.push_back(take(static_cast<std::size_t>(t.wp)));
    skip.push_back(take(static_cast<std::size_t>(t.wp)));
  }
  xn = take(max_wp);
  uz = take(2 * max_dp);
  u = take(max_dp);
  projected = take(max_projected + kBlock);
  delta = take(max_dp);
  probs = take(static_cast<std::size_t>(net.vp));
  size = at;
}

}  // namespace mambo::cpu
