// What the parity tests share: networks of random weights and odd shapes, comparisons, cuts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace mambo::testing {

struct Shape {
  std::string name;
  std::vector<int> pool, layers;
  int d_model, widen, expand, N, K, rank;
  bool biases = false;
};

// A network in memory; weights of a size that keeps activations near 1.
class RandomNetwork {
 public:
  explicit RandomNetwork(const Shape& s, unsigned seed = 1) : rng_(seed) {
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
      net_.tiers[t].down_begin = static_cast<int>(net_.layers.size());
      for (int i = 0; i < s.layers[t]; ++i)
        add_layer(s, t, t == last ? Side::center : Side::down, i);
      net_.tiers[t].down_end = static_cast<int>(net_.layers.size());
    }
    for (int t = last - 1; t >= 0; --t) {
      net_.tiers[t].up_begin = static_cast<int>(net_.layers.size());
      for (int i = 0; i < s.layers[t]; ++i) add_layer(s, t, Side::up, i);
      net_.tiers[t].up_end = static_cast<int>(net_.layers.size());
    }
    net_.embed = matrix(net_.vocab, s.d_model, 1.0);
    net_.norm_f = matrix(1, s.d_model, 0.1, 1.0);
    net_.head = matrix(net_.vocab, s.d_model);
    if (s.biases) net_.head_bias = matrix(1, net_.vocab, 0.2);
  }
  const NetworkView& view() const { return net_; }

 private:
  // Gaussian with the given deviation (0: 1/sqrt(cols)) around `mean`.
  TensorView matrix(int rows, int cols, double deviation = 0, double mean = 0) {
    std::normal_distribution<double> normal(mean,
                                            deviation > 0 ? deviation : 1.0 / std::sqrt(cols));
    std::vector<float>& v = store_.emplace_back(static_cast<std::size_t>(rows) * cols);
    for (float& x : v) x = static_cast<float>(normal(rng_));
    return {reinterpret_cast<const std::byte*>(v.data()), DType::f32, rows, cols};
  }
  void add_layer(const Shape& s, int tier, Side side, int i) {
    const TierView& t = net_.tiers[static_cast<std::size_t>(tier)];
    LayerView l;
    l.name =
        (side == Side::center ? std::string("center")
                              : (side == Side::down ? "down." : "up.") + std::to_string(tier)) +
        "." + std::to_string(i);
    l.tier = tier;
    l.side = side;
    l.dt_rank = s.rank;
    l.w.norm = matrix(1, t.width, 0.1, 1.0);
    l.w.in_proj = matrix(2 * t.d_inner, t.width);
    l.w.conv = matrix(t.d_inner, s.K, 0.4);
    l.w.conv_bias = matrix(1, t.d_inner, 0.1);
    l.w.x_proj = matrix(s.rank + 2 * s.N, t.d_inner);
    l.w.dt_proj = matrix(t.d_inner, s.rank);
    l.w.dt_proj_bias = matrix(1, t.d_inner, 1.0, -3.0);
    l.w.A_log = matrix(t.d_inner, s.N, 1.0, 1.0);
    l.w.D = matrix(1, t.d_inner, 0.3, 1.0);
    l.w.out_proj = matrix(t.width, t.d_inner);
    if (s.biases) {
      l.w.in_proj_bias = matrix(1, 2 * t.d_inner, 0.2);
      l.w.out_proj_bias = matrix(1, t.width, 0.2);
    }
    net_.layers.push_back(l);
  }
  std::mt19937_64 rng_;
  std::deque<std::vector<float>> store_;
  NetworkView net_;
};

inline const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"flat", {}, {2}, 32, 1, 2, 16, 4, 2},
      {"flat_odd", {}, {3}, 20, 1, 3, 5, 3, 3, true},
      {"one_pool", {4}, {1, 2}, 16, 2, 2, 16, 4, 1},
      {"two_pools_odd", {3, 5}, {1, 2, 1}, 24, 2, 2, 7, 2, 5, true},
      {"three_pools", {2, 2, 4}, {1, 0, 1, 1}, 16, 1, 2, 8, 4, 1},
      {"no_conv", {2}, {1, 1}, 16, 2, 1, 33, 1, 2},
  };
  return all;
}

inline std::vector<std::uint8_t> random_codes(std::size_t n, unsigned seed = 7) {
  std::mt19937 rng(seed);
  std::vector<std::uint8_t> codes(n);
  for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(rng() & 0xFFU);
  return codes;
}

inline std::vector<float> state_of(const Engine& e, const State& s) {
  std::vector<float> out(e.layout().size);
  e.read_state(s, out);
  return out;
}

// Largest |a - b| / (1 + |b|).
inline double distance(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double e = std::fabs(static_cast<double>(a[i]) - b[i]) / (1.0 + std::fabs(b[i]));
    if (!(e <= worst)) worst = e;  // NaN shows
  }
  return worst;
}

class LogitSink : public PrefillSink {
 public:
  explicit LogitSink(int vocab) : vocab_(vocab) {}
  bool wants_logits() const override { return true; }
  void logits(std::uint64_t first, int rows, const float* l) override {
    EXPECT_EQ(first * static_cast<std::uint64_t>(vocab_), all.size());
    all.insert(all.end(), l, l + static_cast<std::size_t>(rows) * vocab_);
  }
  std::vector<float> all;

 private:
  int vocab_;
};

// Every backend that the parity tests hold against the reference, usable here or not.
inline std::vector<std::string> backends_under_test() { return {"cpu"}; }

inline std::unique_ptr<Engine> engine_or_skip(const NetworkView& net, const std::string& backend,
                                              const EngineOptions& options) {
  for (const ComputeDevice& d : compute_devices()) {
    if (d.backend == backend && d.usable) return make_engine(net, backend, options);
  }
  return nullptr;
}

}  // namespace mambo::testing
