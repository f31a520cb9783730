#include "app/gui/model_facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <utility>

#include "app/files/codes.h"
#include "app/gui/words.h"
#include "app/live/program.h"
#include "model/horizon.h"

namespace mambo::gui {
namespace {

std::string group_name(const LayerView& layer) {
  switch (layer.side) {
    case Side::down:
      return "down " + std::to_string(layer.tier);
    case Side::up:
      return "up " + std::to_string(layer.tier);
    case Side::center:
      break;
  }
  return "center";
}

// "3 to 16 complex" or "16"; empty when there are no such layers.
std::string range_words(const std::vector<LayerFacts>& layers, bool complex) {
  int least = 0;
  int most = 0;
  for (const LayerFacts& l : layers) {
    if (l.time_invariant != complex) continue;
    least = most == 0 ? l.states : std::min(least, l.states);
    most = std::max(most, l.states);
  }
  if (most == 0) return "";
  return (least == most ? "" : std::to_string(least) + " to ") + std::to_string(most) +
         (complex ? " complex" : "");
}

std::string states_words(const std::vector<LayerFacts>& layers) {
  const std::string complex = range_words(layers, true);
  const std::string real = range_words(layers, false);
  return real + (complex.empty() || real.empty() ? "" : " and ") + complex;
}

}  // namespace

Useful useful_temperature(const Config& config) {
  constexpr double from = 0.82, to = 1.08;  // of its own
  if (config.temperature_range) return config.temperature_range;
  const double own = config.sampling.temperature;
  if (!(own > 0) || own * to > SamplingLimits::max_temperature) return std::nullopt;
  return UsefulRange{own * from, own * to};
}

ModelFacts read_facts(std::shared_ptr<const Model> model) {
  ModelFacts facts;
  const Config& config = model->config();
  const NetworkView& net = model->network();
  facts.name = config.name.empty() ? model->path().stem().string() : config.name;
  facts.rate = config.sample_rate;
  facts.controls.say(config.sampling);
  facts.temperature_range = useful_temperature(config);
  facts.tiers = config.tiers();
  facts.parameters = static_cast<double>(model->stats().parameters);
  facts.macs_per_sample = model->stats().macs_per_sample_mean;
  for (const LayerView& layer : net.layers) {
    const TierView& tier = net.tiers[static_cast<std::size_t>(layer.tier)];
    LayerFacts f;
    f.name = layer.name;
    f.group = group_name(layer);
    f.tier = layer.tier;
    f.stride = tier.stride;
    f.channels = tier.d_inner;
    f.time_invariant = layer.time_invariant();
    f.states = layer.states();
    f.starts_group = facts.layers.empty() || facts.layers.back().group != f.group;
    f.log2_numerator = horizon_numerators(net, layer, config.sample_rate);
    for (float& v : f.log2_numerator) v = std::log2(v);
    f.log2_typical = std::accumulate(f.log2_numerator.begin(), f.log2_numerator.end(), 0.0F) /
                     static_cast<float>(f.log2_numerator.size());
    facts.layers.push_back(std::move(f));
  }
  facts.states = states_words(facts.layers);
  facts.favourite = favourite_layer(net);
  facts.model = std::move(model);
  return facts;
}

std::string glance_at_model(const std::filesystem::path& path) {
  try {
    const auto model = Model::load(path);
    return fmt::format("{:.1f} M, {}", static_cast<double>(model->stats().parameters) / 1e6,
                       hertz_words(model->config().sample_rate).c_str());
  } catch (const std::exception&) {  // choosing it says why
    return {};
  }
}

HistoryShape ModelFacts::shape() const {
  HistoryShape s;
  s.rate = rate;
  s.decode = decode_table(model->config().encoding);
  for (const LayerFacts& l : layers) s.layers.push_back({l.channels, l.stride});
  return s;
}

}  // namespace mambo::gui
