#include "model/stats.h"

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "kernels/state_layout.h"

namespace mambo {
namespace {

std::uint64_t elements(std::initializer_list<const TensorView*> tensors) {
  std::uint64_t n = 0;
  for (const TensorView* t : tensors) n += static_cast<std::uint64_t>(t->size());
  return n;
}

template <class View>
std::uint64_t mixer_parameters(View view) {
  std::uint64_t n = 0;
  for (const TensorRow& row : view.tensors(0, 0)) n += elements({row.tensor});
  return n;
}

std::uint64_t block_parameters(const LayerView& layer) {
  const BlockView& w = layer.w;
  return elements({&w.norm, &w.in_proj, &w.in_proj_bias, &w.conv, &w.conv_bias, &w.D, &w.out_proj,
                   &w.out_proj_bias}) +
         std::visit([](const auto& p) { return mixer_parameters(p); }, layer.params);
}

std::uint64_t block_macs(const LayerView& layer) {
  const BlockView& w = layer.w;
  return elements({&w.in_proj, &w.conv, &w.D, &w.out_proj}) +
         std::visit([](const auto& p) { return p.macs(); }, layer.params);
}

}  // namespace

ModelStats count_stats(const NetworkView& net) {
  ModelStats s;
  const auto add = [&s](std::uint64_t macs, int stride) {
    s.macs_per_sample_worst += macs;
    s.macs_per_sample_mean += static_cast<double>(macs) / stride;
  };
  s.parameters = elements({&net.embed, &net.norm_f, &net.head_bias});
  if (net.head.data != net.embed.data) s.parameters += elements({&net.head});
  add(elements({&net.head}), 1);
  for (const LayerView& layer : net.layers) {
    s.parameters += block_parameters(layer);
    add(block_macs(layer), net.tier_of(layer).stride);
  }
  for (const TierView& t : net.tiers) {
    s.parameters += elements({&t.down_pool, &t.down_pool_bias, &t.up_pool, &t.up_pool_bias});
    // Both run once for a step of the next tier.
    if (t.pool != 0) add(elements({&t.down_pool, &t.up_pool}), t.stride * t.pool);
  }
  s.stride = net.tiers.back().stride;
  s.state_bytes = StateLayout(net).size * sizeof(float);
  return s;
}

}  // namespace mambo
