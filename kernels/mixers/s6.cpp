#include "kernels/mixers/s6.h"

#include <cmath>

namespace mambo {

std::uint64_t S6View::macs() const {
  return static_cast<std::uint64_t>(x_proj.size() + dt_proj.size() + 2 * A_log.size());
}

std::vector<double> S6View::resting_delta() const {
  const std::vector<float> bias = to_float(dt_bias);
  std::vector<double> delta(bias.begin(), bias.end());
  for (double& x : delta) x = x > 30 ? x : std::log1p(std::exp(x));
  return delta;
}

std::vector<TensorRow> S6View::tensors(std::int64_t d_inner, std::int64_t states) {
  using Shape = std::vector<std::int64_t>;
  return {{"x_proj.weight", &x_proj, {rank + 2 * states, d_inner}},
          {"dt_proj.weight", &dt_proj, rank > 0 ? Shape{d_inner, rank} : Shape{}},
          {"dt_proj.bias", &dt_bias, {d_inner}},
          {"A_log", &A_log, {d_inner, states}}};
}

std::vector<float> s6_decay_rates(const S6View& view) {
  constexpr double kLog2e = 1.4426950408889634;
  std::vector<float> rates = to_float(view.A_log);
  for (float& a : rates) a = static_cast<float>(-std::exp(static_cast<double>(a)) * kLog2e);
  return rates;
}

}  // namespace mambo
