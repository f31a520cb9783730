// What only the CUDA engine promises: that every plan for sharing out a step draws the same
// samples, and that a stream may change between it and the CPU. Nothing of CUDA is included here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "kernels/reference/reference.h"
#include "tests/kernels/support.h"

#if MAMBO_HAS_CUDA

namespace mambo::testing {
namespace {

class CudaPlans : public ::testing::TestWithParam<std::tuple<Shape, WeightStorage>> {};

struct Drawn {
  std::string plan;
  std::vector<std::uint8_t> codes;
  std::vector<float> log_prob;  // 0 where it was not asked for
  std::vector<float> delta;     // least and largest of each layer, and every step of one
  std::vector<float> said;      // least and largest of what the network says
  bool changed = false;         // what is played, against it
  std::vector<float> state;
};

// view: its delta is tapped. means: most chunks are played by hand, each with other values, and the
// first layer forgets at times.
Drawn draw(const Engine& engine, const std::string& plan, std::span<const std::uint8_t> heard,
           const NetworkView* view = nullptr, const SelectionMeans* means = nullptr) {
  Drawn d;
  d.plan = plan;
  d.codes.resize(1000);
  d.log_prob.resize(d.codes.size());
  const auto state = engine.make_state();
  engine.step(*state, heard);
  for (std::size_t at = 0; at < d.codes.size();) {  // in chunks of odd lengths
    const std::size_t n = std::min<std::size_t>(d.codes.size() - at, 1 + at % 300);
    GenerateRequest q;
    q.sampling = at % 4 == 3 ? SamplingParams{1.0F, 0, 0.98F} : SamplingParams{};
    if (at % 3 == 0) q.sampling = {1.0F, 30, 0.9F, 0.05F, 0.003F, 6.0F};
    q.rng_seed = 3;
    q.rng_index = at;
    q.codes = std::span(d.codes).subspan(at, n);
    if (at % 3 != 1) q.log_prob = std::span(d.log_prob).subspan(at, n);
    DeltaTap tap;
    std::vector<LayerSummary> layers, said;
    std::vector<float> rows;
    Selectivity by_hand(engine.layout());
    if (means != nullptr && at % 5 != 0) {
      by_hand = mixed(engine, *means, static_cast<int>(at));
      q.by_hand = &by_hand;
      if (at % 4 == 1) engine.forget(*state, 0, 0.25F);
    }
    if (view != nullptr) {
      layers.resize(view->layers.size());
      tap.layers = layers;
      if (means != nullptr && at % 4 == 3) {
        said.resize(layers.size());
        tap.said = said;
      }
      tap.layer = static_cast<int>(at % layers.size());
      const LayerView& tapped = view->layers[static_cast<std::size_t>(tap.layer)];
      const TierView& tier = view->tiers[static_cast<std::size_t>(tapped.tier)];
      rows.resize((n / static_cast<std::size_t>(tier.stride) + 1) *
                  static_cast<std::size_t>(tier.d_inner));
      tap.delta = rows;
      q.tap = &tap;
    }
    engine.generate(*state, q);
    for (const LayerSummary& s : layers) d.delta.insert(d.delta.end(), {s.min, s.max});
    for (const LayerSummary& s : said) d.said.insert(d.said.end(), {s.min, s.max});
    for (std::size_t l = 0; l < said.size(); ++l) d.changed |= said[l].max != layers[l].max;
    d.delta.insert(d.delta.end(), rows.begin(), rows.end());
    at += n;
  }
  d.state = state_of(engine, *state);
  return d;
}

void expect_alike(const std::vector<Drawn>& all) {
  const Drawn& first = all.front();
  for (const Drawn& d : all) {
    EXPECT_EQ(d.codes, first.codes) << d.plan << " against " << first.plan;
    EXPECT_EQ(d.log_prob, first.log_prob) << d.plan << " against " << first.plan;
    EXPECT_EQ(d.delta, first.delta) << d.plan << " against " << first.plan;
    EXPECT_EQ(d.said, first.said) << d.plan << " against " << first.plan;
    EXPECT_EQ(d.state, first.state) << d.plan << " against " << first.plan;
  }
}

TEST_P(CudaPlans, AllDrawTheSameSamplesBitForBit) {
  const auto& [shape, storage] = GetParam();
  const RandomNetwork network(shape);
  const auto heard = random_codes(77);
  std::string why_not;
  std::vector<Drawn> all, by_hand;
  SelectionMeans means;  // of the first engine: they need not be those that the others find
  for (const char* plan : {"", "single", "cluster", "grid"}) {
    const auto engine = engine_or_skip(network.view(), {"cuda", storage, plan}, &why_not);
    if (engine == nullptr) {
      if (all.empty()) GTEST_SKIP() << why_not;  // the engine's own choice: there is no device
      std::printf("  %s\n", why_not.c_str());
      continue;
    }
    if (all.empty()) means = means_of(*engine, network.view(), random_codes(3000, 5));
    all.push_back(draw(*engine, engine->description(), heard, &network.view()));
    by_hand.push_back(draw(*engine, engine->description(), heard, &network.view(), &means));
  }
  std::set<std::string> plans;
  for (const Drawn& d : all) plans.insert(d.plan);
  // Float32 weights, and tiers without layers, are played by one SM alone.
  const bool shared = storage == WeightStorage::half &&
                      std::count(shape.layers.begin(), shape.layers.end(), 0) == 0;
  ASSERT_GE(plans.size(), shared ? 2U : 1U) << "one plan alone can be run here: " << *plans.begin();
  expect_alike(all);
  expect_alike(by_hand);
  EXPECT_NE(by_hand.front().codes, all.front().codes);
  const bool selects = std::any_of(means.layers.begin(), means.layers.end(),
                                   [](const auto& l) { return !l.delta.empty(); });
  EXPECT_EQ(by_hand.front().changed, selects);
}

// Resident stages of one layer that send x on and join nothing, so without a barrier behind
// out_proj; and resident stages beside a tier inside that cannot be split by columns.
std::vector<Shape> narrow_shapes() {
  constexpr Mixer s4d = Mixer::s4d;
  constexpr Mixer s6 = Mixer::s6;
  return {{"narrow_flat_two", {}, {2}, 64, 1, 2, 16, 4, 0},
          {"s4d_flat_two", {}, {2}, 64, 1, 2, 16, 4, 0, false, {s4d}, {8}},
          {"s4d_chain", {4}, {2, 2}, 64, 1, 2, 16, 4, 0, false, {s4d, s6}, {8}},
          {"s4d_in_chain", {4}, {2, 2}, 64, 1, 2, 16, 4, 0, false, {s6, s4d}, {8}}};
}

std::vector<Shape> plan_shapes() {
  std::vector<Shape> all = shapes();
  all.push_back(piano_shape());
  // In a grid the outer tier holds it to 32 SMs, so that each has two of the inner tier's units:
  // all eight warps share them in in_proj.
  all.push_back({"wide_inner", {2}, {1, 1}, 128, 2, 2, 16, 3, 0});
  // Padded widths; columns: flat with narrower vectors, with fewer columns.
  all.push_back({"team_odd", {2}, {1, 1}, 60, 2, 2, 7, 3, 20, true});
  all.push_back({"flat_team_odd", {}, {2}, 120, 1, 2, 16, 4, 20, true});
  all.push_back({"flat_team_few", {}, {2}, 256, 1, 1, 16, 4, 0});
  // A pipeline whose tier inside cannot be split by columns.
  all.push_back({"narrow_chain", {4}, {2, 2}, 64, 1, 2, 16, 4, 0});
  // Resident stages of one layer and of two, two on each side of the tiers inside; of flat models,
  // of one layer, of two and of three; and with groups so wide that the first stage has no room for
  // three layers.
  all.push_back({"narrow_ones", {2}, {1, 1}, 64, 2, 2, 16, 4, 0});
  all.push_back({"narrow_fours", {4}, {4, 1}, 64, 2, 2, 16, 4, 0});
  for (const Shape& s : narrow_shapes()) all.push_back(s);
  all.push_back({"narrow_flat", {}, {5}, 64, 1, 2, 16, 4, 0});
  all.push_back({"narrow_wide_pool", {32}, {3, 1}, 64, 2, 2, 16, 4, 0});
  all.push_back({"flat_padded", {}, {3}, 20, 1, 3, 16, 4, 3, true});
  all.insert(all.end(), s4d_shapes().begin(), s4d_shapes().end());
  // Resident stages of S4D, of one layer, beside a group of S4D, too; of two and of three. N does
  // not matter where no layer is S6.
  constexpr Mixer s4d = Mixer::s4d;
  all.push_back({"s4d_ones", {2}, {1, 1}, 64, 2, 2, 16, 4, 0, false, {s4d, s4d}, {8, 16}});
  all.push_back({"s4d_fours", {4}, {4, 1}, 64, 2, 2, 16, 4, 0, true, {s4d, Mixer::s6}, {3}});
  all.push_back({"s4d_links", {}, {5}, 64, 1, 2, 40, 4, 0, false, {s4d}, {8}});
  // More channels than a CTA has lanes for, flat: a cluster and a grid whose CTAs have few units
  // each, in a grid more CTAs than rows of out_proj.
  all.push_back({"s4d_wide", {}, {3}, 256, 1, 2, 16, 4, 0, true, {s4d}, {8, 24}});
  for (const std::string& name : shape_names()) all.push_back(named_shape(name));
  // Three of its eight layers: 100 MB of weights a plan would take seconds to pack, and a layer is
  // shared out in the same way among however many.
  for (Shape& s : all)
    if (s.name == "flat512") s.layers = {3};
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, CudaPlans,
                         ::testing::Combine(::testing::ValuesIn(plan_shapes()),
                                            ::testing::Values(WeightStorage::f32,
                                                              WeightStorage::half)),
                         [](const auto& p) {
                           std::string name = std::get<0>(p.param).name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return "cuda_" + name +
                                  (std::get<1>(p.param) == WeightStorage::half ? "_half" : "_f32");
                         });

// Of everything a little, with chunks so short that an engine is soon ready: what compute-sanitizer
// runs, which slows kernels up to some thousand times (tools/gpu_check.sh).
class CudaFewSteps : public ::testing::TestWithParam<Case> {};

TEST_P(CudaFewSteps, AndDrawsAndPrefillFollowTheReference) {
  const Case& c = GetParam();
  const RandomNetwork network(c.shape);
  EngineOptions options{c.variant.storage, 0, {c.variant.plan}};
  options.cuda.prefill_chunk = 128;  // four segments of a scan
  std::string why_not;
  const auto engine = engine_or_skip(network.view(), "cuda", options, &why_not);
  if (engine == nullptr) GTEST_SKIP() << why_not;
  Reference reference(network.view());
  const auto state = engine->make_state();
  const auto follow = [&](std::span<const std::uint8_t> codes) {
    for (const std::uint8_t code : codes) reference.step(code);
    EXPECT_LT(distance(state_of(*engine, *state), reference.read_state()),
              c.variant.half() ? 0.2 : 1e-4)
        << "after " << codes.size() << " more";
  };
  const auto stepped = random_codes(20, 1);
  engine->step(*state, stepped);
  follow(stepped);
  std::vector<std::uint8_t> drawn(20);
  std::vector<float> log_prob(drawn.size());
  std::vector<LayerSummary> layers(network.view().layers.size());
  DeltaTap tap;
  tap.layers = layers;
  GenerateRequest q;
  q.codes = drawn;
  q.log_prob = log_prob;
  q.tap = &tap;
  engine->generate(*state, q);
  follow(drawn);
  const auto absorbed = random_codes(300, 2);
  SumSink sums(network.view());
  engine->prefill(*state, absorbed, &sums);
  follow(absorbed);

  const Selectivity by_hand = mixed(*engine, sums.sums.means());
  reference.play_by_hand(by_hand);
  engine->forget(*state, 0, 0.5F);
  reference.forget(0, 0.5);
  std::vector<LayerSummary> said(layers.size());
  tap.said = said;
  q.by_hand = &by_hand;
  engine->generate(*state, q);
  follow(drawn);
  engine->prefill(*state, absorbed, nullptr, &by_hand);
  follow(absorbed);
}

std::vector<Shape> few_steps_shapes() {
  std::vector<Shape> all = all_shapes();
  for (const Shape& s : narrow_shapes()) all.push_back(s);
  all.push_back(piano_shape());
  all.push_back({"flat256", {}, {2}, 256, 1, 2, 16, 4, 0});
  return all;
}
std::vector<Case> few_steps_cases() {
  std::vector<Case> all;
  for (const Case& c : cases_under_test(few_steps_shapes()))
    if (c.variant.on_gpu()) all.push_back(c);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Shapes, CudaFewSteps, ::testing::ValuesIn(few_steps_cases()),
                         [](const auto& p) { return p.param.name(); });

TEST(Cuda, ChoosesAPlanForEveryNamedShape_cuda) {
  for (const std::string& name : shape_names()) {
    const RandomNetwork network(named_shape(name));
    std::string why_not;
    const auto engine = engine_or_skip(network.view(), {"cuda", WeightStorage::half, ""}, &why_not);
    if (engine == nullptr) GTEST_SKIP() << why_not;
    const std::string plan = engine->description();
    std::printf("  %s: %s\n", name.c_str(), plan.c_str());
    // Where sixteen SMs make a cluster, they split flat 256 by columns.
    if (name == "flat256") {
      EXPECT_EQ(plan.find("a cluster of 16"), std::string::npos) << plan;
    }
    const Drawn d = draw(*engine, "", random_codes(10));
    for (const float x : d.log_prob) ASSERT_TRUE(x <= 1e-4F && x > -50.0F) << x;
  }
}

// A kernel's limits are the device's, not an engine's: a small model must not lower them for a big
// one.
TEST(Cuda, ASmallEngineLeavesABigOneAlone_cuda) {
  const RandomNetwork big(named_shape("piano")), small(shapes()[2]);
  const auto heard = random_codes(10);
  for (const char* plan : {"single", "cluster", "grid"}) {
    std::string why_not;
    const auto first = engine_or_skip(big.view(), {"cuda", WeightStorage::half, plan}, &why_not);
    if (first == nullptr) GTEST_SKIP() << why_not;
    const Drawn alone = draw(*first, plan, heard);
    const auto second = engine_or_skip(small.view(), {"cuda", WeightStorage::half, plan}, &why_not);
    if (second == nullptr) GTEST_SKIP() << why_not;
    draw(*second, plan, heard);
    EXPECT_EQ(draw(*first, plan, heard).codes, alone.codes) << plan;
  }
}

TEST(Cuda, WeightBytesAreThoseOfBothCopies_cuda) {
  const RandomNetwork network(piano_shape());
  for (const WeightStorage storage : {WeightStorage::half, WeightStorage::f32}) {
    std::string why_not;
    const auto engine = engine_or_skip(network.view(), {"cuda", storage, ""}, &why_not);
    if (engine == nullptr) GTEST_SKIP() << why_not;
    const std::size_t copy = network.parameters() * (storage == WeightStorage::half ? 2 : 4);
    EXPECT_GT(engine->weight_bytes(), 2 * copy);
    EXPECT_LT(engine->weight_bytes(), 3 * copy) << "padding takes little of this shape";
  }
}

TEST(Cuda, APlanThatDoesNotExistIsRefused_cuda) {
  const RandomNetwork network(shapes()[0]);
  std::string why_not;
  if (engine_or_skip(network.view(), {"cuda", WeightStorage::half, ""}, &why_not) == nullptr)
    GTEST_SKIP() << why_not;
  EXPECT_THROW(make_engine(network.view(), "cuda", {WeightStorage::half, 0, {.plan = "by hand"}}),
               Error);
}

#if MAMBO_HAS_CPU
TEST(Cuda, AStateTravelsToTheCpuAndBack_cuda) {
  for (const Shape& shape : all_shapes()) {
    const RandomNetwork network(shape);
    std::string why_not;
    const auto gpu = engine_or_skip(network.view(), {"cuda", WeightStorage::f32, ""}, &why_not);
    if (gpu == nullptr) GTEST_SKIP() << why_not;
    const auto cpu = make_engine(network.view(), "cpu", {WeightStorage::f32, 2, {}});
    const auto more = random_codes(100, 4);
    const auto on_cpu = cpu->make_state();
    cpu->prefill(*on_cpu, random_codes(777));
    const auto on_gpu = gpu->make_state();
    gpu->write_state(*on_gpu, state_of(*cpu, *on_cpu), on_cpu->position());
    EXPECT_EQ(state_of(*gpu, *on_gpu), state_of(*cpu, *on_cpu)) << shape.name;
    gpu->step(*on_gpu, more);
    cpu->step(*on_cpu, more);
    EXPECT_LT(distance(state_of(*gpu, *on_gpu), state_of(*cpu, *on_cpu)), 2e-4) << shape.name;
    cpu->write_state(*on_cpu, state_of(*gpu, *on_gpu), on_gpu->position());
    gpu->step(*on_gpu, more);
    cpu->step(*on_cpu, more);
    EXPECT_LT(distance(state_of(*gpu, *on_gpu), state_of(*cpu, *on_cpu)), 2e-4) << shape.name;
  }
}
#endif

}  // namespace
}  // namespace mambo::testing

#endif  // MAMBO_HAS_CUDA
