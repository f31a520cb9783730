#include "model/horizon.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

double seconds_per_step(const NetworkView& net, const LayerView& layer, int sample_rate) {
  return static_cast<double>(net.tier_of(layer).stride) / sample_rate;
}

// [d_inner, states]: the logarithm of the rates at which states forget.
TensorView log_rates(const LayerView& layer) {
  return std::visit([](const auto& p) { return p.A_log; }, layer.params);
}

double quantile(std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::llround(at))];
}

}  // namespace

std::vector<float> horizon_numerators(const NetworkView& net, const LayerView& layer,
                                      int sample_rate) {
  const std::vector<float> a_log = to_float(log_rates(layer));
  const auto n = static_cast<std::size_t>(layer.states());
  std::vector<float> result(a_log.size() / n);
  for (std::size_t c = 0; c < result.size(); ++c) {
    const auto row = a_log.begin() + static_cast<std::ptrdiff_t>(c * n);
    const double slowest = std::exp(*std::min_element(row, row + static_cast<std::ptrdiff_t>(n)));
    result[c] = static_cast<float>(seconds_per_step(net, layer, sample_rate) / slowest);
  }
  return result;
}

HorizonQuantiles resting_horizon(const NetworkView& net, const LayerView& layer, int sample_rate) {
  const std::vector<float> a_log = to_float(log_rates(layer));
  const std::vector<double> delta =
      std::visit([](const auto& p) { return p.resting_delta(); }, layer.params);
  const auto n = static_cast<std::size_t>(layer.states());
  std::vector<double> horizons;
  horizons.reserve(a_log.size());
  for (std::size_t i = 0; i < a_log.size(); ++i) {
    horizons.push_back(seconds_per_step(net, layer, sample_rate) /
                       (delta[i / n] * std::exp(a_log[i])));
  }
  if (horizons.empty()) return {};
  std::sort(horizons.begin(), horizons.end());
  return {quantile(horizons, 0.05), quantile(horizons, 0.5), quantile(horizons, 0.95)};
}

}  // namespace mambo
