// Selectivity by hand: engines against the reference, steps against prefill, and a network whose
// delta, B and C are held against one that is time-invariant by construction.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "kernels/reference/reference.h"
#include "kernels/selectivity.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

constexpr LayerSelectivity kHeld = {1, 1, 1, 1, 1};
constexpr std::size_t kVocab = 256;

class ByHand : public ::testing::TestWithParam<Case> {
 protected:
  ByHand() : network_(GetParam().shape) {}
  void SetUp() override {
    std::string why_not;
    engine_ = engine_or_skip(network_.view(), GetParam().variant, &why_not);
    if (engine_ == nullptr) GTEST_SKIP() << why_not;
    means_ = means_of(*engine_, network_.view(), random_codes(3000, 5));
  }
  double bound() const { return GetParam().variant.half() ? 0.2 : 1e-4; }
  std::vector<float> logits(const State& s) const {
    const auto all = state_of(*engine_, s);
    return {all.end() - static_cast<std::ptrdiff_t>(kVocab), all.end()};
  }
  RandomNetwork network_;
  std::unique_ptr<Engine> engine_;
  SelectionMeans means_;
};

TEST_P(ByHand, StepFollowsTheReference) {
  const Selectivity by_hand = mixed(*engine_, means_);
  Reference reference(network_.view());
  reference.play_by_hand(by_hand);
  const auto state = engine_->make_state();
  double worst = 0;
  for (const std::uint8_t code : random_codes(200)) {
    const auto want = reference.step(code);
    engine_->step(*state, {&code, 1}, &by_hand);
    worst = std::max(worst, distance(logits(*state), std::vector<float>(want.begin(), want.end())));
  }
  EXPECT_LT(worst, bound());
  EXPECT_LT(distance(state_of(*engine_, *state), reference.read_state()), bound());
}

TEST_P(ByHand, PrefillEqualsSteps) {
  const Selectivity by_hand = mixed(*engine_, means_);
  for (const std::size_t n : {1, 63, 700}) {
    const auto codes = random_codes(n, static_cast<unsigned>(n));
    const auto stepped = engine_->make_state();
    const auto filled = engine_->make_state();
    engine_->step(*stepped, codes, &by_hand);
    engine_->prefill(*filled, codes, nullptr, &by_hand);
    EXPECT_LT(distance(state_of(*engine_, *filled), state_of(*engine_, *stepped)),
              GetParam().variant.rounding(2e-4))
        << n;
  }
}

TEST_P(ByHand, GenerateStepsWithTheSameValues) {
  const Selectivity by_hand = mixed(*engine_, means_);
  const auto drawn = engine_->make_state();
  const auto stepped = engine_->make_state();
  std::vector<std::uint8_t> codes(100);
  GenerateRequest request;
  request.codes = codes;
  request.by_hand = &by_hand;
  engine_->generate(*drawn, request);
  engine_->step(*stepped, {&silence_code, 1}, &by_hand);
  engine_->step(*stepped, codes, &by_hand);
  EXPECT_EQ(state_of(*engine_, *drawn), state_of(*engine_, *stepped));

  std::vector<std::uint8_t> again(100);
  const auto among_many = engine_->make_state();
  const auto other = engine_->make_state();
  std::vector<std::uint8_t> as_it_says(100);
  Stream streams[2] = {{among_many.get(), request}, {other.get(), request}};
  streams[0].request.codes = again;
  streams[1].request.codes = as_it_says;
  streams[1].request.by_hand = nullptr;
  engine_->generate_many(streams);
  EXPECT_EQ(again, codes);
  EXPECT_NE(as_it_says, codes);
}

TEST_P(ByHand, DefaultsChangeNothing) {
  Selectivity by_hand(engine_->layout());
  by_hand.set_means(means_);
  by_hand.set_all({0.25F, 0, 0.5F, 0, 1});
  by_hand.set_all({});
  EXPECT_TRUE(by_hand.off());
  const auto codes = random_codes(500);
  const auto plain = engine_->make_state();
  const auto with = engine_->make_state();
  engine_->step(*plain, codes);
  engine_->step(*with, codes, &by_hand);
  EXPECT_EQ(state_of(*engine_, *plain), state_of(*engine_, *with));
  engine_->prefill(*plain, codes);
  engine_->prefill(*with, codes, nullptr, &by_hand);
  EXPECT_EQ(state_of(*engine_, *plain), state_of(*engine_, *with));
}

TEST_P(ByHand, DeltaOfNothingFreezesTheStates) {
  Selectivity by_hand(engine_->layout());
  by_hand.set_all({0, 0, 0, 0, 1});
  const auto state = engine_->make_state();
  engine_->prefill(*state, random_codes(500));
  const auto before = state_of(*engine_, *state);
  engine_->step(*state, random_codes(200, 2), &by_hand);
  engine_->prefill(*state, random_codes(200, 3), nullptr, &by_hand);
  const auto after = state_of(*engine_, *state);
  for (const StateLayout::Layer& l : engine_->layout().layers) {
    const auto h = [&](const std::vector<float>& all) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(l.h);
      return std::vector<float>(from, from + static_cast<std::ptrdiff_t>(l.h_size()));
    };
    if (l.selects)
      EXPECT_EQ(h(before), h(after));
    else
      EXPECT_NE(h(before), h(after));
  }
}

TEST_P(ByHand, ForgettingScalesTheStatesOfItsLayerAlone) {
  const auto state = engine_->make_state();
  engine_->prefill(*state, random_codes(500));
  const auto before = state_of(*engine_, *state);
  const int layer = static_cast<int>(engine_->layout().layers.size()) / 2;
  engine_->forget(*state, layer, 0.5F);
  const auto after = state_of(*engine_, *state);
  const StateLayout::Layer& l = engine_->layout().layers[static_cast<std::size_t>(layer)];
  for (std::size_t i = 0; i < before.size(); ++i)
    ASSERT_EQ(after[i], i >= l.h && i < l.h + l.h_size() ? 0.5F * before[i] : before[i]) << i;
  EXPECT_EQ(state->position(), 500U);
}

TEST_P(ByHand, TheTapShowsWhatIsSaidAndWhatIsPlayed) {
  const std::size_t layers = engine_->layout().layers.size();
  std::vector<LayerSummary> said(layers);
  std::vector<LayerSummary> played(layers);
  std::vector<std::uint8_t> codes(64 *
                                  static_cast<std::size_t>(network_.view().tiers.back().stride));
  Selectivity by_hand(engine_->layout());
  by_hand.set_all({2, 0, 0, 0, 1});
  DeltaTap tap;
  tap.layers = played;
  tap.said = said;
  GenerateRequest request;
  request.codes = codes;
  request.by_hand = &by_hand;
  request.tap = &tap;
  engine_->generate(*engine_->make_state(), request);
  for (std::size_t i = 0; i < layers; ++i) {
    EXPECT_GT(said[i].steps, 0);
    EXPECT_EQ(played[i].steps, said[i].steps);
    const float factor = engine_->layout().layers[i].selects ? 2.0F : 1.0F;
    EXPECT_FLOAT_EQ(played[i].mean, factor * said[i].mean);
    EXPECT_FLOAT_EQ(played[i].max, factor * said[i].max);
  }
}

// The same sums, to the last bit, from any number of threads and calls.
TEST_P(ByHand, MeansAreOfTheStepsAloneHoweverTheyAreCut) {
  const auto codes = random_codes(9000, 9);
  WatchingSink rows(network_.view());
  const auto state = engine_->make_state();
  engine_->prefill(*state, codes, &rows);
  const SelectionMeans means = means_of(*engine_, network_.view(), codes);
  ASSERT_EQ(means.layers.size(), rows.delta.size());
  for (std::size_t i = 0; i < means.layers.size(); ++i) {
    const SelectionMeans::Layer& m = means.layers[i];
    const auto expect_mean = [](const std::vector<float>& of, const std::vector<float>& all) {
      for (std::size_t c = 0; c < of.size(); ++c) {
        double sum = 0;
        for (std::size_t r = c; r < all.size(); r += of.size()) sum += all[r];
        EXPECT_NEAR(of[c], sum * static_cast<double>(of.size()) / static_cast<double>(all.size()),
                    1e-5 * (1 + std::fabs(of[c])));
      }
    };
    EXPECT_EQ(m.delta.empty(), !engine_->layout().layers[i].selects);
    expect_mean(m.delta, rows.delta[i]);
    expect_mean(m.B, rows.B[i]);
    expect_mean(m.C, rows.C[i]);
  }
  std::string why_not;
  for (const int threads : {1, 5}) {
    const auto other = engine_or_skip(network_.view(), GetParam().variant, &why_not, threads);
    EXPECT_EQ(means_of(*other, network_.view(), codes), means) << threads;
  }
}

std::vector<Case> some_cases() {
  std::vector<Shape> some;
  for (const Shape& s : all_shapes()) {
    for (const char* name : {"flat_odd", "two_pools_odd", "no_conv", "s4d_outermost", "s4d_all"})
      if (s.name == name) some.push_back(s);
  }
  return cases_under_test(some);
}
INSTANTIATE_TEST_SUITE_P(Shapes, ByHand, ::testing::ValuesIn(some_cases()),
                         [](const auto& i) { return i.param.name(); });

// ---- S6 with all of it held is S4 -------------------------------------------------------------

// The network with each S6 layer replaced by the S4D layer that it is when delta, B and C stand at
// their means. S4D has the zero-order hold, S6 the first term of it: the difference goes into C.
class TimeInvariant {
 public:
  TimeInvariant(const NetworkView& net, const SelectionMeans& means) : net_(net) {
    for (std::size_t i = 0; i < net_.layers.size(); ++i) {
      LayerView& l = net_.layers[i];
      const auto* s6 = std::get_if<S6View>(&l.params);
      if (s6 == nullptr) continue;
      const SelectionMeans::Layer& m = means.layers[i];
      const int N = s6->states();
      const auto channels = static_cast<int>(m.delta.size());
      const std::vector<float> A_log = to_float(s6->A_log);
      std::vector<float> log_dt, A_im(A_log.size()), C;
      for (int c = 0; c < channels; ++c) {
        const double delta = m.delta[static_cast<std::size_t>(c)];
        log_dt.push_back(static_cast<float>(std::log(delta)));
        for (int n = 0; n < N; ++n) {
          const double A = -std::exp(
              static_cast<double>(A_log[static_cast<std::size_t>(c) * static_cast<std::size_t>(N) +
                                        static_cast<std::size_t>(n)]));
          const double held = std::expm1(delta * A) / A;
          const auto k = static_cast<std::size_t>(n);
          C.push_back(static_cast<float>(delta * m.B[k] * m.C[k] / (2 * held)));
          C.push_back(0);
        }
      }
      S4dView s4d;
      s4d.log_dt = keep(std::move(log_dt), channels, 1);
      s4d.A_log = s6->A_log;
      s4d.A_im = keep(std::move(A_im), channels, N);
      s4d.C = keep(std::move(C), channels, 2 * N);
      l.params = s4d;
    }
  }
  const NetworkView& view() const { return net_; }

 private:
  TensorView keep(std::vector<float> values, int rows, int cols) {
    TensorView t = net_.norm_f;
    const std::vector<float>& kept = store_.emplace_back(std::move(values));
    t.data = reinterpret_cast<const std::byte*>(kept.data());
    t.dtype = DType::f32;
    t.rows = rows;
    t.cols = cols;
    return t;
  }
  NetworkView net_;
  std::deque<std::vector<float>> store_;
};

TEST(Held, S6IsPlayedAsS4) {
  for (const Shape& shape : shapes()) {
    const RandomNetwork network(shape);
    std::string why_not;
    for (const Variant& variant : variants_under_test()) {
      if (variant.half()) continue;
      const auto engine = engine_or_skip(network.view(), variant, &why_not);
      if (engine == nullptr) continue;
      Selectivity by_hand(engine->layout());
      by_hand.set_means(means_of(*engine, network.view(), random_codes(2000, 4)));
      by_hand.set_all(kHeld);
      const TimeInvariant fixed(network.view(), by_hand.means());
      Reference reference(fixed.view());
      const auto state = engine->make_state();
      double worst = 0;
      for (const std::uint8_t code : random_codes(300)) {
        const auto want = reference.step(code);
        engine->step(*state, {&code, 1}, &by_hand);
        const auto all = state_of(*engine, *state);
        worst = std::max(worst, distance(std::span(all).last(kVocab),
                                         std::vector<float>(want.begin(), want.end())));
      }
      EXPECT_LT(worst, 2e-3) << variant.name() << " " << shape.name;
    }
  }
}

TEST(Held, WithoutMeansNothingIsHeld) {
  const RandomNetwork network(shapes()[0]);
  Selectivity by_hand{StateLayout(network.view())};
  by_hand.set_all(kHeld);
  EXPECT_TRUE(by_hand.off());
  SelectionMeans of_another;
  of_another.layers.resize(1);
  EXPECT_THROW(by_hand.set_means(of_another), Error);
}

}  // namespace
}  // namespace mambo::testing
