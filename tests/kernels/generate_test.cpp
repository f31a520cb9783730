// Drawing: the definition of kernels/sampling.h, determinism, likelihoods, the tap, many streams.
// More than 400 lines: all of them need one fixture, and each backend.
#include <gtest/gtest.h>

#include <numeric>
#include <string>
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
  void expect_plain_draws(const SamplingParams& params);

  RandomNetwork network_;
  std::unique_ptr<Engine> engine_;
};

// Whether float rounding decides between a and b.
bool about(double a, double b) { return std::fabs(a - b) < 1e-5 * (std::fabs(a) + std::fabs(b)); }

// The definition in the plainest form, in float64: sort, cut, bring back, walk. close: a border is
// so near that either answer is right.
int draw_plainly(std::span<const float> logits, const SamplingParams& p, double u, bool& close) {
  const std::size_t n = logits.size();
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<double> w(n), own(n);
  for (std::size_t i = 0; i < n; ++i) w[i] = std::exp((logits[i] - max) / p.temperature);
  for (std::size_t i = 0; i < n; ++i) own[i] = std::exp(logits[i] - max);
  const double own_total = std::accumulate(own.begin(), own.end(), 0.0);
  double bits = 0;
  for (double& x : own) {
    x /= own_total;
    if (x > 0) bits -= x * std::log2(x);
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return w[a] > w[b]; });
  std::vector<bool> kept(n, true);
  if (p.gate > 0 && std::fabs(bits - p.gate) < 1e-4) close = true;
  if (!(p.gate > 0) || bits > p.gate) {
    std::size_t keep = p.top_k > 0 ? std::min<std::size_t>(p.top_k, n) : n;
    double total = 0;
    for (std::size_t i = 0; i < keep; ++i) total += w[order[i]];
    if (p.top_p < 1) {
      std::size_t some = 0;
      double sum = 0;
      while (some < keep && sum < p.top_p * total) sum += w[order[some++]];
      const double before = some > 0 ? sum - w[order[some - 1]] : sum;
      close =
          close || (some > 0 && (about(sum, p.top_p * total) || about(before, p.top_p * total)));
      keep = std::max<std::size_t>(1, some);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t code = order[i];
      kept[code] = i < keep && w[code] >= p.min_p;  // the largest weight is 1
      close = close || (p.min_p > 0 && w[code] < 1 && i < keep && about(w[code], p.min_p));
      if (p.floor >= 1) continue;
      close = close || (!kept[code] && about(own[code], p.floor));
      if (own[code] >= p.floor) kept[code] = true;
    }
  }
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) total += kept[i] ? w[i] : 0;
  double below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!kept[i]) continue;
    close = close || std::fabs(below + w[i] - u * total) < 1e-5 * total;
    below += w[i];
    if (below > u * total) return static_cast<int>(i);
  }
  return -1;
}

std::string in_words(const SamplingParams& p) {
  return "temperature " + std::to_string(p.temperature) + ", top k " + std::to_string(p.top_k) +
         ", top p " + std::to_string(p.top_p) + ", min p " + std::to_string(p.min_p) + ", floor " +
         std::to_string(p.floor) + ", gate " + std::to_string(p.gate);
}

void Generate::expect_plain_draws(const SamplingParams& params) {
  const Result r = run(500, params);
  int undecided = 0;
  for (std::size_t i = 0; i < r.codes.size(); ++i) {
    bool close = false;
    const int want =
        draw_plainly({r.logits.data() + i * 256, 256}, params, philox_uniform(1, i), close);
    if (close)
      ++undecided;  // within float rounding of a border: either answer is right
    else
      ASSERT_EQ(r.codes[i], want) << "sample " << i << " " << in_words(params);
  }
  EXPECT_LT(undecided, 25) << in_words(params);
}

TEST_P(Generate, DrawsWhatTheDefinitionSays) {
  for (const SamplingParams& p : {SamplingParams{1.0F, 0, 1.0F}, SamplingParams{0.7F, 0, 1.0F},
                                  SamplingParams{1.3F, 10, 1.0F}, SamplingParams{1.0F, 0, 0.8F},
                                  SamplingParams{0.9F, 40, 0.5F}, SamplingParams{1.0F, 1, 1.0F},
                                  SamplingParams{1.0F, 0, 0.0F}}) {
    expect_plain_draws(p);
  }
}

// Each of min_p, floor and gate alone with what it acts on, and all at once; the entropies of these
// networks are about the gates.
TEST_P(Generate, DrawsWhatTheDefinitionSaysOfMinPFloorAndGate) {
  const Result r = run(500, {1.2F, 0, 1.0F});
  std::vector<float> bits(r.entropy);
  for (float& b : bits) b /= std::log(2.0F);
  std::sort(bits.begin(), bits.end());
  const float middle = bits[bits.size() / 2];
  ASSERT_GT(bits[bits.size() * 9 / 10] - bits[bits.size() / 10], 0.01F);
  using P = SamplingParams;
  for (const P& p : {P{1.0F, 0, 1.0F, 0.3F}, P{1.2F, 0, 1.0F, 0.05F}, P{0.8F, 20, 0.9F, 0.2F},
                     P{1.0F, 0, 1.0F, 1.0F}, P{1.0F, 2, 1.0F, 0.0F, 0.004F},
                     P{1.2F, 0, 0.3F, 0.0F, 0.003F}, P{0.7F, 3, 0.9F, 0.5F, 0.005F},
                     P{1.2F, 2, 1.0F, 0.0F, 1.0F, middle}, P{1.2F, 0, 0.5F, 0.1F, 0.01F, middle},
                     P{1.0F, 5, 0.5F, 0.5F, 1.0F, 8.0F}, P{1.0F, 0, 1.0F, 0.0F, 1e-5F, middle}}) {
    expect_plain_draws(p);
  }
}

// Where nothing is cut, floor and gate have nothing to do: the same samples, bit for bit.
TEST_P(Generate, FloorAndGateAloneChangeNothing) {
  const Result plain = run(600, {});
  EXPECT_EQ(run(600, {1.0F, 0, 1.0F, 0.0F, 1e-3F, 4.0F}).codes, plain.codes);
  EXPECT_EQ(run(600, {1.0F, 256, 1.0F, 0.0F, 1e-3F}).codes, plain.codes);
  // A floor below every probability, and a gate above every entropy, undo what the others cut.
  EXPECT_EQ(run(600, {1.0F, 3, 1.0F, 0.0F, 1.0F, 8.0F}).codes, plain.codes);
  EXPECT_NE(run(600, {1.0F, 3, 1.0F, 0.0F, 1.0F, 0.0F}).codes, plain.codes);
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
    if (i % 5 == 0) q.sampling.min_p = 0.1F;
    if (i % 7 == 0) q.sampling.floor = 0.004F;
    if (i % 11 == 0) q.sampling.gate = 7.0F;
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
                                 {9, 120, {1.0F, 9, 0.8F, 0.3F, 0.003F, 6.0F}},
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
