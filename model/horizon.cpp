#include "model/horizon.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

double softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

double seconds_a_step(const NetworkView& net, const LayerView& layer, int sample_rate) {
  return static_cast<double>(net.tiers[static_cast<std::size_t>(layer.tier)].stride) / sample_rate;
}

double quantile(std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::llround(at))];
}

}  // namespace

std::vector<float> horizon_numerators(const NetworkView& net, const LayerView& layer,
                                      int sample_rate) {
  const std::vector<float> a_log = to_float(layer.w.A_log);
  const auto n = static_cast<std::size_t>(layer.w.A_log.cols);
  std::vector<float> result(a_log.size() / n);
  for (std::size_t c = 0; c < result.size(); ++c) {
    const auto row = a_log.begin() + static_cast<std::ptrdiff_t>(c * n);
    const double slowest = std::exp(*std::min_element(row, row + static_cast<std::ptrdiff_t>(n)));
    result[c] = static_cast<float>(seconds_a_step(net, layer, sample_rate) / slowest);
  }
  return result;
}

HorizonQuantiles resting_horizon(const NetworkView& net, const LayerView& layer, int sample_rate) {
  const std::vector<float> a_log = to_float(layer.w.A_log);
  const bool selective = layer.mixer == Mixer::s6;
  const std::vector<float> bias = to_float(selective ? layer.w.dt_proj_bias : layer.w.log_dt);
  const auto n = static_cast<std::size_t>(layer.w.A_log.cols);
  std::vector<double> horizons;
  horizons.reserve(a_log.size());
  for (std::size_t i = 0; i < a_log.size(); ++i) {
    const double at_rest = bias[i / n];
    const double delta = selective ? softplus(at_rest) : std::exp(at_rest);
    horizons.push_back(seconds_a_step(net, layer, sample_rate) / (delta * std::exp(a_log[i])));
  }
  if (horizons.empty()) return {};
  std::sort(horizons.begin(), horizons.end());
  return {quantile(horizons, 0.05), quantile(horizons, 0.5), quantile(horizons, 0.95)};
}

}  // namespace mambo
