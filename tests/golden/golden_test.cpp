// The engines against logits that independent PyTorch code computed in float64, on six models: one
// really trained, two of random weights, one in the ecosystem's format, and two with time-invariant
// tiers (make_s4d_golden.py).
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/reference/reference.h"
#include "model/model.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

struct Oracle {
  std::string name;
  std::string model;
  std::string golden;
};
void PrintTo(const Oracle& o, std::ostream* out) { *out << o.name; }

const std::vector<Oracle>& oracles() {
  const std::string data = MAMBO_TEST_DATA;
  static const std::vector<Oracle> all = {
      {"piano_lab", std::string(MAMBO_ASSETS) + "/models/piano-lab.safetensors",
       data + "/piano-lab.golden.safetensors"},
      {"rand_unet_p4", data + "/rand-unet-p4.safetensors",
       data + "/rand-unet-p4.golden.safetensors"},
      {"rand_flat", data + "/rand-flat.safetensors", data + "/rand-flat.golden.safetensors"},
      {"hf_flat", data + "/hf-flat", data + "/hf-flat/golden.safetensors"},
      {"s4d_unet", data + "/s4d-unet.safetensors", data + "/s4d-unet.golden.safetensors"},
      {"s4d_flat", data + "/s4d-flat.safetensors", data + "/s4d-flat.golden.safetensors"},
  };
  return all;
}

struct Golden {
  std::vector<std::uint8_t> tokens;
  std::vector<float> logits;
  explicit Golden(const std::string& path) {
    const TensorFile file = TensorFile::open(path);
    const auto& entry = file.tensors().at("tokens");
    const std::int64_t n = entry.shape.at(0);
    for (const std::byte b : entry.bytes) tokens.push_back(std::to_integer<std::uint8_t>(b));
    logits = to_float(file.get("logits", {n, 256}));
  }
};

struct Error2 {
  double max = 0, mean = 0;
};
template <class A>
Error2 error(const A& got, std::span<const float> want) {
  Error2 e;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double d = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
    if (!(d <= e.max)) e.max = d;
    e.mean += d / static_cast<double>(want.size());
  }
  return e;
}

double bits_per_sample(std::span<const float> logits, std::span<const std::uint8_t> tokens) {
  double bits = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    const float* l = logits.data() + t * 256;
    const double max = *std::max_element(l, l + 256);
    double z = 0;
    for (int c = 0; c < 256; ++c) z += std::exp(l[c] - max);
    bits -= (l[tokens[t + 1]] - max - std::log(z)) / std::log(2.0);
  }
  return bits / static_cast<double>(tokens.size() - 1);
}

class GoldenTest : public ::testing::TestWithParam<std::tuple<Oracle, std::string>> {
 protected:
  GoldenTest() : model_(Model::load(oracle().model)), golden_(oracle().golden) {}
  const Oracle& oracle() const { return std::get<0>(GetParam()); }
  // Null with the reason in why_not_.
  std::unique_ptr<Engine> engine(WeightStorage storage) {
    return engine_or_skip(model_->network(), {std::get<1>(GetParam()), storage, ""}, &why_not_);
  }
  void report(const char* what, const Error2& e) {
    RecordProperty(std::string(what) + "_max", std::to_string(e.max));
    std::printf("  %s: %s max |d logit| %.2e, mean %.2e\n", oracle().name.c_str(), what, e.max,
                e.mean);
  }
  // The logits after each of the oracle's tokens, absorbed one at a time.
  std::vector<float> by_steps(const Engine& engine) const {
    const auto state = engine.make_state();
    std::vector<float> logits;
    std::vector<float> s(engine.layout().size);
    for (const std::uint8_t t : golden_.tokens) {
      engine.step(*state, {&t, 1});
      engine.read_state(*state, s);
      logits.insert(logits.end(), s.begin() + static_cast<std::ptrdiff_t>(engine.layout().logits),
                    s.end());
    }
    return logits;
  }
  std::shared_ptr<const Model> model_;
  Golden golden_;
  std::string why_not_;
};

TEST_P(GoldenTest, StepInFloat32) {
  const auto e = engine(WeightStorage::f32);
  if (!e) GTEST_SKIP() << why_not_;
  const Error2 d = error(by_steps(*e), golden_.logits);
  report("step", d);
  EXPECT_LE(d.max, 2e-3);
  EXPECT_LE(d.mean, 2e-4);
}

TEST_P(GoldenTest, PrefillInFloat32) {
  const auto e = engine(WeightStorage::f32);
  if (!e) GTEST_SKIP() << why_not_;
  const auto state = e->make_state();
  LogitSink sink(256);
  e->prefill(*state, golden_.tokens, &sink);
  const Error2 d = error(sink.all, golden_.logits);
  report("prefill", d);
  EXPECT_LE(d.max, 2e-3);
  EXPECT_LE(d.mean, 2e-4);
}

TEST_P(GoldenTest, HalfStorageCostsUnderAHundredthOfABit) {
  const auto e = engine(WeightStorage::half);
  if (!e) GTEST_SKIP() << why_not_;
  const auto state = e->make_state();
  LogitSink sink(256);
  e->prefill(*state, golden_.tokens, &sink);
  const double want = bits_per_sample(golden_.logits, golden_.tokens);
  const double got = bits_per_sample(sink.all, golden_.tokens);
  std::printf("  %s: %.5f bits per sample, half storage %.5f\n", oracle().name.c_str(), want, got);
  EXPECT_NEAR(got, want, 0.01);
}

// The same by single steps, whose weights, sums and kernels are separate.
TEST_P(GoldenTest, StepsInHalfStorageCostUnderAHundredthOfABit) {
  const auto e = engine(WeightStorage::half);
  if (!e) GTEST_SKIP() << why_not_;
  const double want = bits_per_sample(golden_.logits, golden_.tokens);
  const double got = bits_per_sample(by_steps(*e), golden_.tokens);
  std::printf("  %s: %.5f bits per sample, steps in half storage %.5f\n", oracle().name.c_str(),
              want, got);
  EXPECT_NEAR(got, want, 0.01);
}

// The oracle's tokens, then the likeliest code more than a thousand times: each must also be the
// likeliest (within rounding) of the engine compared with.
TEST_P(GoldenTest, GreedyContinuationIsTheReferences) {
  const auto e = engine(WeightStorage::f32);
  if (!e) GTEST_SKIP() << why_not_;
  const std::size_t warm = std::min<std::size_t>(golden_.tokens.size(), 700);
  const std::span<const std::uint8_t> heard = std::span(golden_.tokens).first(warm);
  const auto state = e->make_state();
  e->prefill(*state, heard);
  std::vector<std::uint8_t> drawn(1200);
  GenerateRequest q;
  q.sampling.temperature = 0;
  q.codes = drawn;
  e->generate(*state, q);

  Reference reference(model_->network());
  std::span<const double> now;
  for (const std::uint8_t t : heard) now = reference.step(t);
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    if (i > 0) now = reference.step(drawn[i - 1]);
    const double most = *std::max_element(now.begin(), now.end());
    ASSERT_GE(now[drawn[i]], most - 2e-3) << "sample " << i;
  }
}

// Engines that are also compared with the CPU's.
class OtherEngine : public GoldenTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OtherEngine);

#if MAMBO_HAS_CPU
// The same against the CPU engine, code for code, from the end of the oracle's tokens.
TEST_P(OtherEngine, GreedyContinuationIsTheCpus) {
  const auto e = engine(WeightStorage::f32);
  if (!e) GTEST_SKIP() << why_not_;
  const auto drawn = [&](const Engine& by) {
    const auto state = by.make_state();
    by.prefill(*state, golden_.tokens);
    std::vector<std::uint8_t> codes(1500);
    GenerateRequest q;
    q.sampling.temperature = 0;
    q.codes = codes;
    by.generate(*state, q);
    return codes;
  };
  const auto cpu = make_engine(model_->network(), "cpu", {WeightStorage::f32, 2, {}});
  EXPECT_EQ(drawn(*e), drawn(*cpu));
}
#endif

// Prefill over a context of a million samples ends in the state that single steps reach: the CPU's
// prefill, or, in a build without it, the engine's own steps.
TEST_P(OtherEngine, AMillionSamplesOfContext) {
  if (oracle().name != "piano_lab") GTEST_SKIP() << "one model tells";
  const auto e = engine(WeightStorage::f32);
  if (!e) GTEST_SKIP() << why_not_;
  std::vector<std::uint8_t> codes(1'000'000);
  for (std::size_t i = 0; i < codes.size(); ++i)  // the oracle's tokens, repeated
    codes[i] = golden_.tokens[i % golden_.tokens.size()];
  const auto filled = e->make_state();
  e->prefill(*filled, codes);
#if MAMBO_HAS_CPU
  const auto other = make_engine(model_->network(), "cpu", {WeightStorage::f32, 0, {}});
  const auto walked = other->make_state();
  other->prefill(*walked, codes);
  const std::vector<float> want = state_of(*other, *walked);
#else
  const auto walked = e->make_state();
  e->step(*walked, codes);
  const std::vector<float> want = state_of(*e, *walked);
#endif
  const double d = distance(state_of(*e, *filled), want);
  std::printf("  state after 1,000,000 samples: distance %.2e\n", d);
  EXPECT_LT(d, 2e-3);
}

std::string param_name(const ::testing::TestParamInfo<std::tuple<Oracle, std::string>>& p) {
  return std::get<0>(p.param).name + "_" + std::get<1>(p.param);
}
std::vector<std::tuple<Oracle, std::string>> each_on(const std::vector<std::string>& backends) {
  std::vector<std::tuple<Oracle, std::string>> all;
  for (const Oracle& o : oracles())
    for (const std::string& backend : backends) all.emplace_back(o, backend);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Oracles, GoldenTest, ::testing::ValuesIn(each_on(backends_under_test())),
                         param_name);
std::vector<std::string> other_backends() {
  std::vector<std::string> others = backends_under_test();
  others.erase(std::remove(others.begin(), others.end(), "cpu"), others.end());
  return others;
}
INSTANTIATE_TEST_SUITE_P(Oracles, OtherEngine, ::testing::ValuesIn(each_on(other_backends())),
                         param_name);

class ReferenceGolden : public ::testing::TestWithParam<Oracle> {};

TEST_P(ReferenceGolden, FollowsTheOracle) {
  const auto model = Model::load(GetParam().model);
  const Golden golden(GetParam().golden);
  Reference reference(model->network());
  const std::size_t n = std::min<std::size_t>(golden.tokens.size(), 700);  // the reference is slow
  Error2 worst;
  for (std::size_t t = 0; t < n; ++t) {
    const Error2 d =
        error(reference.step(golden.tokens[t]), std::span(golden.logits).subspan(t * 256, 256));
    worst.max = std::max(worst.max, d.max);
  }
  EXPECT_LE(worst.max, 2e-5);
}
INSTANTIATE_TEST_SUITE_P(Oracles, ReferenceGolden, ::testing::ValuesIn(oracles()),
                         [](const auto& p) { return p.param.name; });

}  // namespace
}  // namespace mambo::testing
