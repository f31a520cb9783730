// Shared by the parity tests: networks of random weights and odd shapes, comparisons, cuts.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backends.h"
#include "kernels/engine.h"
#include "kernels/random_network.h"
#include "kernels/selectivity.h"
#include "tests/realtime/sanitized.h"

namespace mambo::testing {

using Shape = NetworkShape;

inline const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"flat", {}, {2}, 32, 1, 2, 16, 4, 2},
      {"flat_odd", {}, {3}, 20, 1, 3, 5, 3, 3, true},
      {"one_pool", {4}, {1, 2}, 16, 2, 2, 16, 4, 1},
      {"two_pools_odd", {3, 5}, {1, 2, 1}, 24, 2, 2, 7, 2, 5, true},
      {"three_pools", {2, 2, 4}, {1, 0, 1, 1}, 16, 1, 2, 8, 4, 1},
      {"no_conv", {2}, {1, 1}, 16, 2, 1, 33, 1, 2},
      // A window of three: on a GPU every plan's way for any shape.
      {"team", {2}, {1, 1}, 64, 2, 2, 16, 3, 2},
      // On a GPU: a pipeline for tier 0, the tier inside shared out by columns.
      {"narrow", {2}, {2, 1}, 64, 2, 2, 16, 4, 0},
  };
  return all;
}

// The shipped piano's shape: on a GPU a pipeline of resident stages beside the inner tiers.
inline const Shape& piano_shape() {
  static const Shape shape = {"pools_of_eight", {8, 8}, {3, 4, 4}, 64, 2, 2, 16, 4, 0};
  return shape;
}

// With time-invariant tiers; numbers of complex states that fill no vector, and that differ within
// a tier.
inline const std::vector<Shape>& s4d_shapes() {
  constexpr Mixer s4d = Mixer::s4d;
  constexpr Mixer s6 = Mixer::s6;
  static const std::vector<Shape> all = {
      {"s4d_flat", {}, {3}, 20, 1, 3, 16, 4, 2, true, {s4d}, {8}},
      {"s4d_outermost", {4, 4}, {1, 2, 1}, 16, 2, 2, 16, 4, 1, false, {s4d, s6, s6}, {5}},
      {"s4d_innermost", {3, 5}, {1, 1, 2}, 24, 2, 1, 7, 3, 1, true, {s6, s6, s4d}, {3, 16}},
      {"s4d_all", {2, 3}, {1, 1, 2}, 32, 1, 2, 16, 1, 1, false, {s4d, s4d, s4d}, {1, 13, 64}},
      // On a GPU: a window of three; a pipeline of S4D stages; and beside S6 stages a group that
      // shares out columns of S4D layers, or of both kinds, which is how drums is played.
      {"s4d_team", {2}, {2, 1}, 64, 2, 2, 16, 3, 2, false, {s4d, s6}, {8}},
      {"s4d_narrow", {2}, {2, 1}, 64, 2, 2, 16, 4, 0, false, {s4d, s6}, {5}},
      {"s4d_in_team", {2}, {2, 2}, 64, 2, 2, 16, 4, 0, false, {s6, s4d}, {8, 20}},
      {"s4d_under_team", {2, 2}, {1, 1, 2}, 64, 2, 2, 16, 4, 0, false, {s6, s6, s4d}, {16}},
  };
  return all;
}
inline std::vector<Shape> all_shapes() {
  std::vector<Shape> all = shapes();
  all.insert(all.end(), s4d_shapes().begin(), s4d_shapes().end());
  return all;
}

// Shapes that are there for what a GPU makes of them: wide ones, for its plans. Through a CPU's
// kernels they take the ways of the others (shapes_test.cpp), and four fifths of the time.
inline bool is_for_gpu(const Shape& s) {
  static constexpr std::array<std::string_view, 6> names = {
      "team", "narrow", "s4d_team", "s4d_narrow", "s4d_in_team", "s4d_under_team"};
  return std::find(names.begin(), names.end(), s.name) != names.end();
}
// What a CPU's engine is tried on. wide: with those for a GPU, which a sanitizer, under which a
// step takes thirty times as long, goes without.
inline std::vector<Shape> cpu_shapes(bool wide = !kSanitized) {
  std::vector<Shape> some;
  for (const Shape& s : all_shapes()) {
    if (wide || !is_for_gpu(s)) some.push_back(s);
  }
  // Numbers of states that several lengths of vectors make up.
  some.push_back(
      {"many_states", {2}, {1, 1}, 16, 1, 2, 23, 4, 1, false, {Mixer::s4d, Mixer::s6}, {20}});
  return some;
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

class SumSink final : public PrefillSink {
 public:
  explicit SumSink(const NetworkView& net) : sums(net) {}
  SelectionSums* selection_sums() override { return &sums; }
  SelectionSums sums;
};

inline SelectionMeans means_of(const Engine& engine, const NetworkView& net,
                               std::span<const std::uint8_t> codes) {
  SumSink sink(net);
  const auto state = engine.make_state();
  engine.prefill(*state, codes, &sink);
  return sink.sums.means();
}

// Selectivity by hand with other values in every layer, and for every `turn`.
inline Selectivity mixed(const Engine& engine, const SelectionMeans& means, int turn = 0) {
  Selectivity by_hand(engine.layout());
  by_hand.set_means(means);
  for (int i = 0; i < static_cast<int>(engine.layout().layers.size()); ++i) {
    const auto share = static_cast<float>((i + turn) % 4) / 4;
    by_hand.set(i, {0.5F + share, share, 1 - share, 0.5F * share, 1.5F - share});
  }
  return by_hand;
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

// Keeps every row of delta, B and C, the logits and the summaries, and counts repeated and missing
// ones.
class WatchingSink : public LogitSink {
 public:
  explicit WatchingSink(const NetworkView& net, int samples = 100)
      : LogitSink(net.vocab),
        delta(net.layers.size()),
        B(net.layers.size()),
        C(net.layers.size()),
        seen(net.layers.size(), 0),
        from(net.layers.size(), 0),
        summed(net.layers.size()),
        net_(net),
        samples_(samples) {}
  bool wants_layer(int) const override { return true; }
  std::uint64_t layer_from(int l) const override { return from[static_cast<std::size_t>(l)]; }
  int samples_per_summary() const override { return samples_; }
  void layer(int l, std::uint64_t first, int rows, const float* d, const float* b,
             const float* c) override {
    const auto i = static_cast<std::size_t>(l);
    if (delta[i].empty()) begin[i] = first;
    EXPECT_EQ(first, begin[i] + seen[i]) << "layer " << l;
    seen[i] += static_cast<std::uint64_t>(rows);
    delta[i].insert(delta[i].end(), d, d + static_cast<std::ptrdiff_t>(rows) * d_inner(i));
    const std::ptrdiff_t states = static_cast<std::ptrdiff_t>(rows) * net_.d_state;
    if (b != nullptr) B[i].insert(B[i].end(), b, b + states);  // a time-invariant layer has none
    if (c != nullptr) C[i].insert(C[i].end(), c, c + states);
  }
  void summaries(int l, std::uint64_t first, std::span<const LayerSummary> parts) override {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const LayerSummary& part = parts[i];
      if (part.steps == 0) continue;
      LayerSummary& s = summed[static_cast<std::size_t>(l)][first + i];
      const auto n = static_cast<float>(s.steps);
      const auto m = static_cast<float>(part.steps);
      s.min = s.steps == 0 ? part.min : std::min(s.min, part.min);
      s.max = s.steps == 0 ? part.max : std::max(s.max, part.max);
      s.mean = (s.mean * n + part.mean * m) / (n + m);
      s.steps += part.steps;
    }
  }
  // Each summary is that of the rows of its block; only where all rows were wanted.
  void expect_summaries_of_rows() const {
    for (std::size_t l = 0; l < delta.size(); ++l) {
      const auto stride = static_cast<std::uint64_t>(tier(l).stride);
      const auto n = static_cast<std::size_t>(d_inner(l));
      std::map<std::uint64_t, LayerSummary> want;
      for (std::uint64_t r = 0; r < seen[l]; ++r) {
        const float* row = delta[l].data() + r * n;
        const std::uint64_t sample = (begin.at(l) + r + 1) * stride - 1;
        LayerSummary& s = want[sample / static_cast<std::uint64_t>(samples_)];
        const auto [low, high] = std::minmax_element(row, row + n);
        s.min = s.steps == 0 ? *low : std::min(s.min, *low);
        s.max = s.steps == 0 ? *high : std::max(s.max, *high);
        for (std::size_t c = 0; c < n; ++c) s.mean += row[c] / static_cast<float>(n);
        ++s.steps;
      }
      ASSERT_EQ(summed[l].size(), want.size()) << "layer " << l;
      for (const auto& [block, s] : want) {
        ASSERT_EQ(summed[l].count(block), 1U) << "layer " << l << " block " << block;
        const LayerSummary& got = summed[l].at(block);
        EXPECT_EQ(got.steps, s.steps) << "layer " << l << " block " << block;
        EXPECT_EQ(got.min, s.min) << "layer " << l << " block " << block;
        EXPECT_EQ(got.max, s.max) << "layer " << l << " block " << block;
        EXPECT_NEAR(got.mean, s.mean / static_cast<float>(s.steps), 1e-4 * (1 + got.max));
      }
    }
  }
  std::vector<std::vector<float>> delta, B, C;  // [layer][step][d_inner or N]
  std::vector<std::uint64_t> seen;              // rows of each layer
  std::vector<std::uint64_t> from;              // what layer_from says
  std::map<std::size_t, std::uint64_t> begin;   // the first step received
  std::vector<std::map<std::uint64_t, LayerSummary>> summed;

 private:
  const TierView& tier(std::size_t l) const {
    return net_.tiers[static_cast<std::size_t>(net_.layers[l].tier)];
  }
  int d_inner(std::size_t l) const { return tier(l).d_inner; }
  const NetworkView& net_;
  int samples_;
};

// ---- Comparison with the reference ------------------------------------------------------------

// A backend as it is built for a test; the parity tests run once for each.
struct Variant {
  std::string backend;
  WeightStorage storage = WeightStorage::half;
  std::string plan;  // CudaOptions::plan

  bool on_gpu() const { return backend == "cuda"; }
  bool half() const { return storage == WeightStorage::half; }
  // Tolerance between prefill and steps. The CPU's activations are float32 in both; CUDA's prefill
  // rounds them to 16 bits with half storage, which tests/golden weighs in bits per sample.
  double rounding(double f32) const { return on_gpu() && half() ? 3e-2 : f32; }
  std::string name() const {
    return backend + (half() ? "_half" : "_f32") + (plan.empty() ? "" : "_" + plan);
  }
};
inline void PrintTo(const Variant& v, std::ostream* out) { *out << v.name(); }

// A network under test on a backend under test.
struct Case {
  Variant variant;
  Shape shape;
  std::string name() const { return variant.name() + "_" + shape.name; }
};
inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name(); }

// Every backend that this build has, usable here or not: what is not usable is skipped by name.
inline std::vector<std::string> backends_under_test() {
  std::vector<std::string> names;
#if MAMBO_HAS_CPU
  names.emplace_back("cpu");
#endif
#if MAMBO_HAS_CUDA
  names.emplace_back("cuda");
#endif
  return names;
}

inline std::vector<Variant> variants_under_test() {
  std::vector<Variant> all;
  for (const std::string& backend : backends_under_test()) {
    for (const WeightStorage storage : {WeightStorage::f32, WeightStorage::half}) {
      if (backend != "cuda") all.push_back({backend, storage, ""});
    }
  }
  for (const std::string& backend : backends_under_test()) {
    if (backend != "cuda") continue;
    for (const WeightStorage storage : {WeightStorage::f32, WeightStorage::half}) {
      for (const char* plan : {"single", "cluster", "grid"})
        all.push_back({backend, storage, plan});
    }
  }
  return all;
}

// Each of the shapes on each variant.
inline std::vector<Case> cases_under_test(const std::vector<Shape>& shapes) {
  std::vector<Case> all;
  for (const Variant& v : variants_under_test())
    for (const Shape& s : shapes) all.push_back({v, s});
  return all;
}
// All that a backend is tried on, on each variant of it.
inline std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const Variant& v : variants_under_test())
    for (const Shape& s : v.on_gpu() ? all_shapes() : cpu_shapes()) all.push_back({v, s});
  return all;
}

// Null with the reason when the backend is not usable on this machine, or when this device cannot
// run the plan that was asked for. Any other refusal is a failure and thrown.
inline std::unique_ptr<Engine> engine_or_skip(const NetworkView& net, const std::string& backend,
                                              const EngineOptions& options,
                                              std::string* why_not = nullptr) {
  std::string reason = "backend " + backend + " is not usable on this machine";
  const auto devices = compute_devices();
  const auto usable = std::find_if(devices.begin(), devices.end(), [&](const ComputeDevice& d) {
    return backend_name(d.backend) == backend && d.usable;
  });
  if (usable != devices.end()) {
    try {
      return make_engine(net, backend, options);
    } catch (const PlanUnsuited& e) {  // what else is thrown is a failure
      if (options.cuda.plan.empty()) throw;
      reason = "plan " + options.cuda.plan + ": " + e.what();
    }
  } else {
    reason += ": " + reason_against(devices, backend);
  }
  if (why_not != nullptr) *why_not = reason;
  return nullptr;
}

inline std::unique_ptr<Engine> engine_or_skip(const NetworkView& net, const Variant& v,
                                              std::string* why_not = nullptr, int threads = 2) {
  return engine_or_skip(net, v.backend, {v.storage, threads, {v.plan}}, why_not);
}

}  // namespace mambo::testing
