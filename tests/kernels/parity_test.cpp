// Step, prefill and the reference agree on networks of every shape that the format allows.
#include <gtest/gtest.h>

#include <map>

#include "kernels/reference/reference.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

class Parity : public ::testing::TestWithParam<Case> {
 protected:
  Parity() : network_(GetParam().shape) {}
  void SetUp() override {
    std::string why_not;
    engine_ = engine_or_skip(network_.view(), GetParam().variant, &why_not);
    if (engine_ == nullptr) GTEST_SKIP() << why_not;
  }
  // See Variant::rounding.
  static double bound(double f32) { return GetParam().variant.rounding(f32); }
  // Lengths around the boundaries of chunks, pools and convolution windows.
  std::vector<std::size_t> lengths() const {
    const int stride = network_.view().tiers.back().stride;
    std::vector<std::size_t> n = {1, 2, 3, 5};
    for (const int C : {stride, 4 * stride, 64}) {
      for (const int k : {C - 1, C, C + 1, 3 * C + 7}) {
        if (k > 0) n.push_back(static_cast<std::size_t>(k));
      }
    }
    return n;
  }
  RandomNetwork network_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(Parity, StepFollowsTheReference) {
  // Half storage runs weights rounded to 16 bits: the bound shows that nothing is wrong, not how
  // good it is (tests/golden measures that in bits per sample).
  const double bound = GetParam().variant.half() ? 0.2 : 1e-4;
  Reference reference(network_.view());
  const auto state = engine_->make_state();
  const auto codes = random_codes(200);
  double worst = 0;
  for (const std::uint8_t code : codes) {
    const auto want = reference.step(code);
    engine_->step(*state, {&code, 1});
    const auto got = state_of(*engine_, *state);
    const std::vector<float> w(want.begin(), want.end());
    worst = std::max(worst, distance({got.data() + engine_->layout().logits, w.size()}, w));
  }
  EXPECT_LT(worst, bound);
  EXPECT_LT(distance(state_of(*engine_, *state), reference.read_state()), bound);
}

TEST_P(Parity, PrefillEqualsSteps) {
  for (const std::size_t n : lengths()) {
    const auto codes = random_codes(n, static_cast<unsigned>(n));
    const auto stepped = engine_->make_state();
    const auto filled = engine_->make_state();
    engine_->step(*stepped, codes);
    engine_->prefill(*filled, codes);
    EXPECT_EQ(filled->position(), n);
    EXPECT_LT(distance(state_of(*engine_, *filled), state_of(*engine_, *stepped)), bound(2e-4))
        << "length " << n;
  }
}

TEST_P(Parity, PrefillMayBeCutAnywhere) {
  const auto codes = random_codes(9000, 3);  // longer than a chunk of the CPU's prefill
  const auto whole = engine_->make_state();
  engine_->prefill(*whole, codes);
  const auto want = state_of(*engine_, *whole);
  std::mt19937 rng(11);
  for (int trial = 0; trial < 3; ++trial) {
    const auto cut = engine_->make_state();
    std::size_t at = 0;
    while (at < codes.size()) {
      const std::size_t n =
          std::min<std::size_t>(codes.size() - at, 1 + rng() % (trial == 0 ? 4000 : 700));
      const std::span part = std::span(codes).subspan(at, n);
      if (rng() % 4 == 0 && n < 300)
        engine_->step(*cut, part);
      else
        engine_->prefill(*cut, part);
      at += n;
    }
    EXPECT_LT(distance(state_of(*engine_, *cut), want), bound(5e-4)) << "trial " << trial;
  }
}

TEST_P(Parity, PrefillShowsLogitsAndLayersOfEveryStep) {
  class Sink : public LogitSink {
   public:
    explicit Sink(const NetworkView& net)
        : LogitSink(net.vocab), delta(net.layers.size()), net_(net) {}
    bool wants_layer(int) const override { return true; }
    void layer(int l, std::uint64_t first, int rows, const float* d, const float* B,
               const float* C) override {
      EXPECT_EQ(first, steps_seen[l]);
      s4d[l] = B == nullptr && C == nullptr;
      steps_seen[l] += static_cast<std::uint64_t>(rows);
      const LayerView& layer = net_.layers[static_cast<std::size_t>(l)];
      const int d_inner = net_.tiers[static_cast<std::size_t>(layer.tier)].d_inner;
      std::vector<float>& seen = delta[static_cast<std::size_t>(l)];
      seen.insert(seen.end(), d, d + static_cast<std::ptrdiff_t>(rows) * d_inner);
    }
    std::vector<std::vector<float>> delta;  // [layer][step][d_inner]
    std::map<int, std::uint64_t> steps_seen;
    std::map<int, bool> s4d;

   private:
    const NetworkView& net_;
  };
  const auto codes = random_codes(4500, 9);
  Sink sink(network_.view());
  const auto state = engine_->make_state();
  engine_->prefill(*state, codes, &sink);
  ASSERT_EQ(sink.all.size(), codes.size() * 256);
  for (std::size_t l = 0; l < network_.view().layers.size(); ++l) {
    const int stride =
        network_.view().tiers[static_cast<std::size_t>(network_.view().layers[l].tier)].stride;
    EXPECT_EQ(sink.steps_seen[static_cast<int>(l)],
              codes.size() / static_cast<std::size_t>(stride));
    const bool s4d = network_.view().layers[l].time_invariant();
    EXPECT_EQ(sink.s4d[static_cast<int>(l)], s4d) << "has B and C of the input, or has not";
  }
  Reference reference(network_.view());
  std::vector<std::uint64_t> step(network_.view().layers.size(), 0);
  double worst_delta = 0;
  for (std::size_t t = 0; t < 200; ++t) {
    reference.step(codes[t]);
    for (std::size_t l = 0; l < step.size(); ++l) {
      const LayerView& layer = network_.view().layers[l];
      const TierView& tier = network_.view().tiers[static_cast<std::size_t>(layer.tier)];
      if ((t + 1) % static_cast<std::size_t>(tier.stride) != 0) continue;
      const auto want = reference.delta(static_cast<int>(l));
      const std::span<const float> got(
          sink.delta[l].data() + step[l]++ * static_cast<std::size_t>(tier.d_inner), want.size());
      worst_delta =
          std::max(worst_delta, distance(got, std::vector<float>(want.begin(), want.end())));
    }
  }
  // As in StepFollowsTheReference.
  EXPECT_LT(worst_delta, GetParam().variant.half() ? 0.2 : 1e-4);
  const auto stepped = engine_->make_state();
  double worst = 0;
  for (std::size_t t = 0; t < 600; ++t) {
    engine_->step(*stepped, {&codes[t], 1});
    const auto s = state_of(*engine_, *stepped);
    worst = std::max(worst, distance({sink.all.data() + t * 256, 256},
                                     {s.data() + engine_->layout().logits, 256}));
  }
  EXPECT_LT(worst, bound(2e-4));
}

TEST_P(Parity, PrefillSummariesAreThoseOfItsRows) {
  for (const int samples : {100, 16, 1}) {  // more than a step of the innermost tier, and fewer
    WatchingSink sink(network_.view(), samples);
    const auto state = engine_->make_state();
    engine_->prefill(*state, random_codes(13));  // so that no block begins where the call does
    engine_->prefill(*state, random_codes(samples == 100 ? 9000 : 700, 9), &sink);
    sink.expect_summaries_of_rows();
  }
}

TEST_P(Parity, PrefillTellsALayerFromTheStepThatIsWanted) {
  const auto codes = random_codes(9000, 9);
  WatchingSink all(network_.view());
  WatchingSink end(network_.view());
  for (std::size_t l = 0; l < end.from.size(); ++l) {
    const LayerView& layer = network_.view().layers[l];
    const int stride = network_.view().tiers[static_cast<std::size_t>(layer.tier)].stride;
    const std::uint64_t steps = codes.size() / static_cast<std::uint64_t>(stride);
    end.from[l] = l == 0 ? steps : steps - steps / 3;  // the first not at all
  }
  for (WatchingSink* sink : {&all, &end}) {
    const auto state = engine_->make_state();
    engine_->prefill(*state, codes, sink);
  }
  for (std::size_t l = 0; l < end.from.size(); ++l) {
    EXPECT_EQ(end.from[l] + end.seen[l], all.seen[l]) << "layer " << l;
    for (const auto rows : {&WatchingSink::delta, &WatchingSink::B, &WatchingSink::C}) {
      const std::vector<float>& late = (end.*rows)[l];
      const std::span<const float> tail = std::span((all.*rows)[l]).last(late.size());
      EXPECT_TRUE(std::equal(tail.begin(), tail.end(), late.begin())) << "layer " << l;
    }
    if (end.seen[l] == 0) continue;
    EXPECT_EQ(end.begin.at(l), end.from[l]) << "layer " << l;
  }
}

TEST_P(Parity, StateTravelsThroughItsPortableForm) {
  const auto codes = random_codes(777, 13);
  const auto more = random_codes(100, 14);
  const auto a = engine_->make_state();
  engine_->step(*a, codes);
  const auto b = engine_->make_state();
  engine_->write_state(*b, state_of(*engine_, *a), a->position());
  EXPECT_EQ(state_of(*engine_, *b), state_of(*engine_, *a));
  engine_->step(*a, more);
  engine_->step(*b, more);
  EXPECT_EQ(state_of(*engine_, *b), state_of(*engine_, *a));
}

TEST_P(Parity, CancelledPrefillLeavesTheZeroState_threads) {
  class Stop : public PrefillSink {
   public:
    bool progress(std::uint64_t) override { return false; }
  } stop;
  const auto state = engine_->make_state();
  engine_->step(*state, random_codes(10));
  EXPECT_THROW(engine_->prefill(*state, random_codes(10000), &stop), Cancelled);
  EXPECT_EQ(state->position(), 0U);
  EXPECT_EQ(state_of(*engine_, *state), std::vector<float>(engine_->layout().size, 0.0F));
}

TEST_P(Parity, WhatASinkThrowsComesOut) {
  class Bad : public LogitSink {
   public:
    Bad() : LogitSink(256) {}
    void logits(std::uint64_t, int, const float*) override { throw Error("full disk"); }
  } bad;
  const auto state = engine_->make_state();
  EXPECT_THROW(engine_->prefill(*state, random_codes(10000), &bad), Error);
}

TEST_P(Parity, WhatIsCopiedAndResetIsComplete) {
  const auto codes = random_codes(333, 15);
  const auto a = engine_->make_state();
  const auto b = engine_->make_state();
  engine_->step(*a, codes);
  engine_->step(*b, random_codes(50, 16));
  engine_->copy(*a, *b);
  EXPECT_EQ(b->position(), a->position());
  EXPECT_EQ(state_of(*engine_, *b), state_of(*engine_, *a));
  const auto then = state_of(*engine_, *b);
  engine_->copy(*a, *b);
  engine_->step(*a, codes);  // at once: a copy that is still on its way must not see it
  EXPECT_EQ(state_of(*engine_, *b), then);
  engine_->step(*b, codes);
  EXPECT_EQ(state_of(*engine_, *b), state_of(*engine_, *a));
  engine_->reset(*b);
  EXPECT_EQ(b->position(), 0U);
  EXPECT_EQ(state_of(*engine_, *b), std::vector<float>(engine_->layout().size, 0.0F));
  const auto fresh = engine_->make_state();
  engine_->step(*b, codes);
  engine_->step(*fresh, codes);
  EXPECT_EQ(state_of(*engine_, *b), state_of(*engine_, *fresh));
}

TEST_P(Parity, TheSameWorkGivesTheSameBits) {
  const auto codes = random_codes(5000, 21);
  std::vector<float> first;
  for (int trial = 0; trial < 3; ++trial) {
    const auto state = engine_->make_state();
    engine_->prefill(*state, codes);
    std::vector<std::uint8_t> drawn(64);
    GenerateRequest q;
    q.codes = drawn;
    engine_->generate(*state, q);
    const auto now = state_of(*engine_, *state);
    if (first.empty()) first = now;
    EXPECT_EQ(now, first) << "trial " << trial;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Parity, ::testing::ValuesIn(all_cases()),
                         [](const auto& p) { return p.param.name(); });

#if MAMBO_HAS_CPU
// A GPU has no threads to choose.
class CpuThreads : public ::testing::TestWithParam<std::tuple<Shape, WeightStorage>> {};

TEST_P(CpuThreads, PrefillIsTheSameForAnyNumberOfThreads_threads) {
  const RandomNetwork network(std::get<0>(GetParam()));
  const auto codes = random_codes(5000, 5);
  const auto filled = [&](int threads) {
    EngineOptions options;
    options.storage = std::get<1>(GetParam());
    options.threads = threads;
    const auto engine = make_engine(network.view(), "cpu", options);
    const auto state = engine->make_state();
    engine->prefill(*state, codes);
    return state_of(*engine, *state);
  };
  const std::vector<float> one = filled(1);
  for (const int threads : {2, 3, 11})  // 11: more than blocks of channels, so time is cut as well
    EXPECT_EQ(filled(threads), one) << threads << " threads";
}

INSTANTIATE_TEST_SUITE_P(Shapes, CpuThreads,
                         ::testing::Combine(::testing::ValuesIn(cpu_shapes()),
                                            ::testing::Values(WeightStorage::f32,
                                                              WeightStorage::half)),
                         [](const auto& p) {
                           return std::get<0>(p.param).name +
                                  (std::get<1>(p.param) == WeightStorage::half ? "_half" : "_f32");
                         });
#endif

}  // namespace
}  // namespace mambo::testing
