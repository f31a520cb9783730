// Drawing: the definition of kernels/sampling.h, determinism, likelihoods, the tap, many streams.
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "kernels/reference/reference.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

class Generate : public ::testing::TestWithParam<Case> {
 protected:
  Generate() : network_(GetParam().shape) {}
  void SetUp() override {
    std::string why_not;
    engine_ = engine_or_skip(network_.view(), GetParam().variant, &why_not);
    if (engine_ == nullptr) GTEST_SKIP() << why_not;
  }
  struct Result {
    std::vector<std::uint8_t> codes;
    std::vector<float> log_prob, entropy, logits;
  };
  Result run(std::size_t n, const SamplingParams& params, std::uint64_t seed = 1,
             std::size_t chunk = 64) {
    Result r;
    r.codes.resize(n);
    r.log_prob.resize(n);
    r.entropy.resize(n);
    r.logits.resize(n * 256);
    const auto state = engine_->make_state();
    for (std::size_t at = 0; at < n; at += chunk) {
      const std::size_t k = std::min(chunk, n - at);
      GenerateRequest q;
      q.sampling = params;
      q.rng_seed = seed;
      q.rng_index = at;
      q.codes = std::span(r.codes).subspan(at, k);
      q.log_prob = std::span(r.log_prob).subspan(at, k);
      q.entropy = std::span(r.entropy).subspan(at, k);
      q.logits = std::span(r.logits).subspan(at * 256, k * 256);
      engine_->generate(*state, q);
    }
    return r;
  }
  RandomNetwork network_;
  std::unique_ptr<Engine> engine_;
};

// The definition in the plainest form: sort, cut, walk.
int draw_plainly(std::span<const float> logits, const SamplingParams& p, double u, bool& close) {
  std::vector<double> e(logits.size());
  const double max = *std::max_element(logits.begin(), logits.end());
  for (std::size_t i = 0; i < e.size(); ++i) e[i] = std::exp((logits[i] - max) / p.temperature);
  std::vector<std::size_t> order(e.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return e[a] > e[b]; });
  std::size_t keep = p.top_k > 0 ? std::min<std::size_t>(p.top_k, e.size()) : e.size();
  double total = 0;
  for (std::size_t i = 0; i < keep; ++i) total += e[order[i]];
  if (p.top_p < 1) {
    double sum = 0;
    std::size_t n = 0;
    while (n < keep && sum < p.top_p * total) sum += e[order[n++]];
    const double before = n > 0 ? sum - e[order[n - 1]] : sum;
    close = n > 0 && (std::fabs(sum - p.top_p * total) < 1e-5 * total ||
                      std::fabs(before - p.top_p * total) < 1e-5 * total);
    keep = std::max<std::size_t>(1, n);
    total = std::accumulate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), 0.0,
                            [&](double s, std::size_t i) { return s + e[i]; });
  }
  std::vector<bool> kept(e.size(), false);
  for (std::size_t i = 0; i < keep; ++i) kept[order[i]] = true;
  double below = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    if (!kept[i]) continue;
    close = close || std::fabs(below + e[i] - u * total) < 1e-5 * total;
    below += e[i];
    if (below > u * total) return static_cast<int>(i);
  }
  return -1;
}

TEST_P(Generate, DrawsWhatTheDefinitionSays) {
  for (const SamplingParams& p : {SamplingParams{1.0F, 0, 1.0F}, SamplingParams{0.7F, 0, 1.0F},
                                  SamplingParams{1.3F, 10, 1.0F}, SamplingParams{1.0F, 0, 0.8F},
                                  SamplingParams{0.9F, 40, 0.5F}, SamplingParams{1.0F, 1, 1.0F},
                                  SamplingParams{1.0F, 0, 0.0F}}) {
    const Result r = run(500, p);
    int undecided = 0;
    for (std::size_t i = 0; i < r.codes.size(); ++i) {
      bool close = false;
      const int want =
          draw_plainly({r.logits.data() + i * 256, 256}, p, philox_uniform(1, i), close);
      if (close)
        ++undecided;  // within float rounding of a border: either answer is right
      else
        ASSERT_EQ(r.codes[i], want)
            << "sample " << i << " top_k " << p.top_k << " top_p " << p.top_p;
    }
    EXPECT_LT(undecided, 25);
  }
}

TEST_P(Generate, TemperatureZeroTakesTheLikeliest) {
  const Result r = run(200, {0.0F, 0, 1.0F});
  for (std::size_t i = 0; i < r.codes.size(); ++i) {
    const float* l = r.logits.data() + i * 256;
    EXPECT_EQ(r.codes[i], std::max_element(l, l + 256) - l);
  }
}

TEST_P(Generate, SameInputsSameSamplesHoweverChunked) {
  const Result a = run(1000, {}, 5, 64);
  const Result b = run(1000, {}, 5, 1);
  const Result c = run(1000, {}, 5, 999);
  EXPECT_EQ(a.codes, b.codes);
  EXPECT_EQ(a.codes, c.codes);
  EXPECT_EQ(a.logits, b.logits);
  EXPECT_NE(a.codes, run(1000, {}, 6).codes);
}

TEST_P(Generate, LikelihoodsAreTheModels) {
  const Result r = run(300, {0.6F, 20, 0.9F});
  for (std::size_t i = 0; i < r.codes.size(); ++i) {
    const float* l = r.logits.data() + i * 256;
    const double max = *std::max_element(l, l + 256);
    double z = 0;
    for (int c = 0; c < 256; ++c) z += std::exp(l[c] - max);
    double entropy = 0;
    for (int c = 0; c < 256; ++c) entropy -= std::exp(l[c] - max) / z * (l[c] - max - std::log(z));
    EXPECT_NEAR(r.log_prob[i], l[r.codes[i]] - max - std::log(z), 1e-4);
    EXPECT_NEAR(r.entropy[i], entropy, 1e-4);
  }
}

TEST_P(Generate, FromNothingStartsWithSilence) {
  const auto a = engine_->make_state();
  const auto b = engine_->make_state();
  std::vector<std::uint8_t> x(50);
  std::vector<std::uint8_t> y(50);
  GenerateRequest q;
  q.codes = x;
  engine_->generate(*a, q);
  engine_->step(*b, {&silence_code, 1});
  q.codes = y;
  engine_->generate(*b, q);
  EXPECT_EQ(x, y);
  EXPECT_EQ(a->position(), 51U);
}

TEST_P(Generate, ManyStreamsGiveWhatEachGivesAlone_threads) {
  std::vector<std::vector<std::uint8_t>> alone;
  for (const std::size_t n : {1, 3, 7, 40}) {
    std::vector<std::unique_ptr<State>> states;
    std::vector<std::vector<std::uint8_t>> codes(n, std::vector<std::uint8_t>(400));
    std::vector<Stream> streams;
    for (std::size_t i = 0; i < n; ++i) {
      states.push_back(engine_->make_state());
      GenerateRequest q;
      q.rng_seed = 100 + i;
      q.codes = codes[i];
      streams.push_back({states[i].get(), q});
      if (alone.size() == i) alone.push_back(run(400, {}, 100 + i).codes);
    }
    engine_->generate_many(streams);
    for (std::size_t i = 0; i < n; ++i)
      EXPECT_EQ(codes[i], alone[i]) << "stream " << i << " of " << n;
  }
}

// More than a device takes at once, and not a multiple of anything.
TEST_P(Generate, MoreStreamsThanFitGiveWhatEachGivesAlone) {
  const auto n = static_cast<std::size_t>(engine_->streams_at_once()) + 3;
  std::vector<std::unique_ptr<State>> states;
  std::vector<std::vector<std::uint8_t>> codes(n, std::vector<std::uint8_t>(70));
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < n; ++i) {
    states.push_back(engine_->make_state());
    GenerateRequest q;
    q.sampling = {1.0F, static_cast<int>(i % 3) * 20, i % 2 == 0 ? 1.0F : 0.9F};
    q.rng_seed = i;
    q.codes = codes[i];
    streams.push_back({states[i].get(), q});
  }
  engine_->generate_many(streams);
  for (std::size_t i = 0; i < n; i += i < 4 || i + 5 >= n ? 1 : 61)
    EXPECT_EQ(codes[i], run(70, streams[i].request.sampling, i).codes)
        << "stream " << i << " of " << n;
}

// As the session does: one thread plays while another absorbs a clip and a third plays as well.
TEST_P(Generate, ThreadsShareAnEngine_threads) {
  const auto clip = random_codes(20000);
  const auto alone = engine_->make_state();
  engine_->prefill(*alone, clip);
  const auto want_state = state_of(*engine_, *alone);
  const std::vector<std::uint8_t> want[2] = {run(2000, {}, 50, 128).codes,
                                             run(2000, {}, 51, 128).codes};
  std::vector<std::uint8_t> got[2];
  const auto absorbed = engine_->make_state();
  {
    std::vector<std::jthread> threads;
    for (const int i : {0, 1}) {
      threads.emplace_back(
          [&, i] { got[i] = run(2000, {}, 50 + static_cast<std::uint64_t>(i), 128).codes; });
    }
    engine_->prefill(*absorbed, clip);
  }
  EXPECT_EQ(got[0], want[0]);
  EXPECT_EQ(got[1], want[1]);
  EXPECT_EQ(state_of(*engine_, *absorbed), want_state);
}

// Likelihoods and entropies of what was drawn are those of the reference that hears the same.
TEST_P(Generate, LikelihoodsAreTheReferences) {
  if (GetParam().variant.half()) GTEST_SKIP() << "its weights are others: tests/golden weighs them";
  const Result r = run(300, {});
  Reference reference(network_.view());
  std::span<const double> now = reference.step(silence_code);
  for (std::size_t i = 0; i < r.codes.size(); ++i) {
    const double max = *std::max_element(now.begin(), now.end());
    double z = 0;
    for (const double l : now) z += std::exp(l - max);
    double entropy = 0;
    for (const double l : now) entropy -= std::exp(l - max) / z * (l - max - std::log(z));
    ASSERT_NEAR(r.log_prob[i], now[r.codes[i]] - max - std::log(z), 1e-3) << "sample " << i;
    ASSERT_NEAR(r.entropy[i], entropy, 1e-3) << "sample " << i;
    now = reference.step(r.codes[i]);
  }
}

// Streams at different places, of different lengths and controls; observed, which a GPU draws one
// by one, and not, which it draws together.
TEST_P(Generate, StreamsNeedNotBeAlike) {
  struct Job {
    std::size_t warm, n;
    SamplingParams sampling;
  };
  const std::vector<Job> jobs = {{0, 100, {}},
                                 {5, 37, {0.0F, 0, 1.0F}},
                                 {64, 1, {0.7F, 20, 1.0F}},
                                 {131, 250, {1.0F, 0, 0.8F}},
                                 {7, 0, {}}};
  std::vector<std::unique_ptr<State>> states;
  std::vector<std::vector<std::uint8_t>> codes, want;
  std::vector<std::vector<float>> log_prob, want_log_prob;
  std::vector<Stream> streams, unobserved;
  std::vector<std::vector<std::uint8_t>> unseen(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Job& job = jobs[i];
    const auto warm = random_codes(job.warm, static_cast<unsigned>(i));
    for (int twice = 0; twice < 2; ++twice) {
      auto state = engine_->make_state();
      engine_->step(*state, warm);
      auto& to = twice == 0 ? want : codes;
      auto& to_log_prob = twice == 0 ? want_log_prob : log_prob;
      to.emplace_back(job.n);
      to_log_prob.emplace_back(job.n);
      states.push_back(std::move(state));
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    GenerateRequest q;
    q.sampling = jobs[i].sampling;
    q.rng_seed = i;
    q.rng_index = 10 * i;
    q.codes = want[i];
    q.log_prob = want_log_prob[i];
    engine_->generate(*states[2 * i], q);
    q.codes = codes[i];
    q.log_prob = log_prob[i];
    streams.push_back({states[2 * i + 1].get(), q});
    auto state = engine_->make_state();
    engine_->step(*state, random_codes(jobs[i].warm, static_cast<unsigned>(i)));
    q.codes = unseen[i] = std::vector<std::uint8_t>(jobs[i].n);
    q.log_prob = {};
    unobserved.push_back({state.get(), q});
    states.push_back(std::move(state));
  }
  engine_->generate_many(streams);
  engine_->generate_many(unobserved);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(codes[i], want[i]) << "stream " << i;
    EXPECT_EQ(unseen[i], want[i]) << "stream " << i << " of a batch";
    EXPECT_EQ(state_of(*engine_, *unobserved[i].state), state_of(*engine_, *states[2 * i]));
    for (std::size_t t = 0; t < log_prob[i].size(); ++t)
      EXPECT_NEAR(log_prob[i][t], want_log_prob[i][t], 1e-4) << "stream " << i << " at " << t;
    EXPECT_EQ(states[2 * i + 1]->position(), states[2 * i]->position());
  }
}

TEST_P(Generate, TapShowsDeltaAndChangesNothing) {
  Reference reference(network_.view());
  const std::size_t n = 300;  // more than a launch of a GPU draws
  std::vector<std::uint8_t> codes(n);
  Variant exact = GetParam().variant;
  exact.storage = WeightStorage::f32;
  std::string why_not;
  const auto f32 = engine_or_skip(network_.view(), exact, &why_not, 1);
  if (f32 == nullptr) GTEST_SKIP() << why_not;
  for (int layer = 0; layer < static_cast<int>(network_.view().layers.size()); ++layer) {
    const LayerView& view = network_.view().layers[static_cast<std::size_t>(layer)];
    const TierView& tier = network_.view().tiers[static_cast<std::size_t>(view.tier)];
    const auto state = f32->make_state();
    const std::vector<std::uint8_t> warm = random_codes(13);
    f32->step(*state, warm);
    reference.reset();
    for (const std::uint8_t c : warm) reference.step(c);
    std::vector<LayerSummary> summaries(network_.view().layers.size());
    std::vector<float> rows((n / static_cast<std::size_t>(tier.stride) + 1) *
                            static_cast<std::size_t>(tier.d_inner));
    DeltaTap tap;
    tap.layers = summaries;
    tap.layer = layer;
    tap.delta = rows;
    GenerateRequest q;
    q.codes = codes;
    q.tap = &tap;
    f32->generate(*state, q);
    EXPECT_EQ(tap.first_step, warm.size() / static_cast<std::size_t>(tier.stride));
    EXPECT_EQ(tap.steps,
              static_cast<int>((warm.size() + n) / tier.stride - warm.size() / tier.stride));
    double sum = 0;
    float low = 1e9F;
    float high = 0;
    int row = 0;
    for (std::size_t i = 0; i < n; ++i) {
      reference.step(codes[i]);
      if ((warm.size() + i + 1) % static_cast<std::size_t>(tier.stride) != 0) continue;
      const auto want = reference.delta(layer);
      for (int c = 0; c < tier.d_inner; ++c) {
        const float got = rows[static_cast<std::size_t>(row) * tier.d_inner + c];
        ASSERT_NEAR(got, want[c], 1e-4 * (1 + want[c]))
            << view.name << " step " << row << " channel " << c;
        sum += got;
        low = std::min(low, got);
        high = std::max(high, got);
      }
      ++row;
    }
    const LayerSummary& s = summaries[static_cast<std::size_t>(layer)];
    EXPECT_EQ(s.steps, row);
    EXPECT_NEAR(s.mean, sum / (row * tier.d_inner), 1e-4);
    EXPECT_EQ(s.min, low);
    EXPECT_EQ(s.max, high);
    GenerateRequest plain = q;
    std::vector<std::uint8_t> again(n);
    plain.codes = again;
    plain.tap = nullptr;
    f32->reset(*state);
    f32->step(*state, warm);
    f32->generate(*state, plain);
    EXPECT_EQ(again, codes);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Generate,
                         ::testing::ValuesIn(cases_under_test({shapes()[3], s4d_shapes()[1]})),
                         [](const auto& p) { return p.param.name(); });

TEST(Philox, KnownAnswers) {
  // Random123's kat_vectors: philox4x32-10 of zeros begins with 6627e8d5.
  EXPECT_FLOAT_EQ(philox_uniform(0, 0), static_cast<float>(0x6627e8d5U >> 8U) / 16777216.0F);
}

}  // namespace
}  // namespace mambo::testing
