#include "kernels/random_network.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace mambo {
namespace {

const std::vector<NetworkShape>& named_shapes() {
  static const std::vector<NetworkShape> all = {
      {"piano", {16, 16}, {3, 3, 3}, 64, 2, 2, 16, 4, 0},
      {"piano-s4d",
       {16, 16},
       {3, 3, 3},
       64,
       2,
       2,
       16,
       4,
       0,
       false,
       {Mixer::s4d, Mixer::s6, Mixer::s6},
       {8}},
      {"sc09", {4, 4}, {8, 8, 8}, 64, 2, 2, 16, 4, 0},
      {"flat256", {}, {8}, 256, 1, 2, 16, 4, 0},
      {"flat512", {}, {8}, 512, 1, 2, 16, 4, 0},
  };
  return all;
}

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const NetworkShape& s : named_shapes()) names.push_back(s.name);
  return names;
}

NetworkShape named_shape(const std::string& name) {
  std::string known;
  for (const NetworkShape& s : named_shapes()) {
    if (s.name == name) return s;
    known += (known.empty() ? "" : ", ") + s.name;
  }
  throw Error("expected a shape of " + known + ", found " + name);
}

RandomNetwork::RandomNetwork(const NetworkShape& s, unsigned seed) : rng_(seed) {
  net_.d_state = s.N;
  net_.d_conv = s.K;
  int width = s.d_model;
  int stride = 1;
  for (std::size_t t = 0; t < s.layers.size(); ++t) {
    TierView tier;
    tier.width = width;
    tier.d_inner = s.expand * width;
    tier.stride = stride;
    tier.pool = t < s.pool.size() ? s.pool[t] : 0;
    if (tier.pool > 0) {
      const int inner = width * s.widen;
      tier.down_pool = matrix(inner, tier.pool * width);
      tier.down_pool_bias = matrix(1, inner, 0.1);
      tier.up_pool = matrix(tier.pool * width, inner);
      tier.up_pool_bias = matrix(1, tier.pool * width, 0.1);
      stride *= tier.pool;
    }
    net_.tiers.push_back(tier);
    width *= s.widen;
  }
  const int last = static_cast<int>(s.layers.size()) - 1;
  for (int t = 0; t <= last; ++t) {
    const auto tier = static_cast<std::size_t>(t);
    net_.tiers[tier].down_begin = static_cast<int>(net_.layers.size());
    for (int i = 0; i < s.layers[tier]; ++i)
      add_layer(s, t, t == last ? Side::center : Side::down, i);
    net_.tiers[tier].down_end = static_cast<int>(net_.layers.size());
  }
  for (int t = last - 1; t >= 0; --t) {
    const auto tier = static_cast<std::size_t>(t);
    net_.tiers[tier].up_begin = static_cast<int>(net_.layers.size());
    for (int i = 0; i < s.layers[tier]; ++i) add_layer(s, t, Side::up, i);
    net_.tiers[tier].up_end = static_cast<int>(net_.layers.size());
  }
  net_.embed = matrix(net_.vocab, s.d_model, 1.0);
  net_.norm_f = matrix(1, s.d_model, 0.1, 1.0);
  net_.head = matrix(net_.vocab, s.d_model);
  if (s.biases) net_.head_bias = matrix(1, net_.vocab, 0.2);
}

// Gaussian with the given deviation (0: 1/sqrt(cols)) around `mean`.
TensorView RandomNetwork::matrix(int rows, int cols, double deviation, double mean) {
  std::normal_distribution<double> normal(mean, deviation > 0 ? deviation : 1.0 / std::sqrt(cols));
  std::vector<float>& v =
      store_.emplace_back(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (float& x : v) x = static_cast<float>(normal(rng_));
  parameters_ += v.size();
  return {reinterpret_cast<const std::byte*>(v.data()), DType::f32, rows, cols};
}

void RandomNetwork::add_layer(const NetworkShape& s, int tier, Side side, int i) {
  const TierView& t = net_.tiers[static_cast<std::size_t>(tier)];
  LayerView l;
  l.name = (side == Side::center ? std::string("center")
                                 : (side == Side::down ? "down." : "up.") + std::to_string(tier)) +
           "." + std::to_string(i);
  l.tier = tier;
  l.side = side;
  const Mixer mixer = s.mixers.empty() ? Mixer::s6 : s.mixers[static_cast<std::size_t>(tier)];
  l.w.norm = matrix(1, t.width, 0.1, 1.0);
  l.w.in_proj = matrix(2 * t.d_inner, t.width);
  l.w.conv = matrix(t.d_inner, s.K, 0.4);
  l.w.conv_bias = matrix(1, t.d_inner, 0.1);
  if (mixer == Mixer::s6) {
    S6View v;
    v.rank = s.rank > 0 ? s.rank : (t.width + 15) / 16;
    v.x_proj = matrix(v.rank + 2 * s.N, t.d_inner);
    v.dt_proj = matrix(t.d_inner, v.rank);
    v.dt_bias = matrix(1, t.d_inner, 1.0, -3.0);
    v.A_log = matrix(t.d_inner, s.N, 1.0, 1.0);
    l.params = v;
  } else {
    const int M = s.M[net_.layers.size() % s.M.size()];
    S4dView v;
    v.log_dt = matrix(1, t.d_inner, 1.0, -3.0);
    v.A_log = matrix(t.d_inner, M, 0.5, 0.0);
    v.A_im = matrix(t.d_inner, M, 20.0);  // angles of a radian per step: fast
    v.C = matrix(t.d_inner, 2 * M, 1.0);
    l.params = v;
  }
  l.w.D = matrix(1, t.d_inner, 0.3, 1.0);
  l.w.out_proj = matrix(t.width, t.d_inner);
  if (s.biases) {
    l.w.in_proj_bias = matrix(1, 2 * t.d_inner, 0.2);
    l.w.out_proj_bias = matrix(1, t.width, 0.2);
  }
  net_.layers.push_back(l);
}

}  // namespace mambo
