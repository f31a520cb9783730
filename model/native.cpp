// The native file's tensors, named after the places of the U-Net.
#include <string>

#include "model/network_builder.h"

namespace mambo {
namespace {

// `down.0.1.` and the like: the tensors of block `index` carry that prefix.
void add_blocks(NetworkView& net, WeightSource& source, const Config& config, int tier, Side side,
                const std::string& group) {
  const int count = config.layers[static_cast<std::size_t>(tier)];
  for (int i = 0; i < count; ++i) {
    const std::string name = group + "." + std::to_string(i);
    net.layers.push_back(build_block(source, config, tier, side, name,
                                     {.norm = name + ".",
                                      .mixer = name + ".",
                                      .proj_bias = Presence::optional,
                                      .conv_bias = Presence::required}));
  }
}

}  // namespace

NetworkView build_native(const TensorFile& file, const Config& config) {
  WeightSource source(file);
  NetworkView net = network_shape(config);
  const std::int64_t v = config.vocab_size;
  const std::int64_t d = config.d_model;
  const int inner = config.tiers() - 1;
  const auto layer_count = [&net] { return static_cast<int>(net.layers.size()); };

  net.embed = source.need("embed.weight", {v, d});
  for (int s = 0; s <= inner; ++s) {
    TierView& tier = net.tiers[static_cast<std::size_t>(s)];
    tier.down_begin = layer_count();
    const std::string number = std::to_string(s);
    if (s < inner) {
      add_blocks(net, source, config, s, Side::down, "down." + number);
      const std::int64_t group = std::int64_t{tier.pool} * tier.width;
      const std::int64_t next = config.width(s + 1);
      tier.down_pool = source.need("down_pool." + number + ".weight", {next, group});
      tier.down_pool_bias = source.need("down_pool." + number + ".bias", {next});
      tier.up_pool = source.need("up_pool." + number + ".weight", {group, next});
      tier.up_pool_bias = source.need("up_pool." + number + ".bias", {group});
    } else {
      add_blocks(net, source, config, s, Side::center, "center");
    }
    tier.down_end = layer_count();
  }
  for (int s = inner - 1; s >= 0; --s) {  // back out: the order in which data flows
    TierView& tier = net.tiers[static_cast<std::size_t>(s)];
    tier.up_begin = layer_count();
    add_blocks(net, source, config, s, Side::up, "up." + std::to_string(s));
    tier.up_end = layer_count();
  }
  net.norm_f = source.need("norm_f.weight", {d});
  net.head = source.need("head.weight", {v, d});
  net.head_bias = source.optional("head.bias", {v});
  source.finish();
  return net;
}

}  // namespace mambo
