// What is done to a take between the draw and its file.
#include "app/offline/finish.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "app/files/loudness.h"
#include "app/offline/recipe.h"
#include "app/offline/verdict.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

std::vector<float> faded(const std::vector<float>& in, int channels, std::size_t fade_in,
                         std::size_t fade_out, std::size_t piece) {
  std::vector<float> out;
  Fades fades(channels, fade_in, fade_out, [&](std::span<const float> samples) {
    out.insert(out.end(), samples.begin(), samples.end());
  });
  for (std::size_t at = 0; at < in.size(); at += piece) {
    fades.put(std::span(in).subspan(at, std::min(piece, in.size() - at)));
  }
  fades.finish();
  return out;
}

TEST(Fades, AreTheSameHoweverTheSoundIsCut) {
  const std::vector<float> ones(2000, 1.0F);
  for (const int channels : {1, 2}) {
    const auto whole = faded(ones, channels, 100, 300, 2000);
    ASSERT_EQ(whole.size(), ones.size());
    EXPECT_EQ(whole.front(), 0);
    EXPECT_EQ(whole.back(), 0);
    EXPECT_EQ(whole[static_cast<std::size_t>(100 * channels)], 1);
    EXPECT_EQ(whole[ones.size() - static_cast<std::size_t>(301 * channels)], 1);
    for (std::size_t i = 1; i < whole.size(); ++i)
      ASSERT_LT(std::abs(whole[i] - whole[i - 1]), 0.02F);
    for (const std::size_t piece : {2U, 62U, 298U, 300U, 302U}) {
      EXPECT_EQ(faded(ones, channels, 100, 300, piece), whole) << piece;
    }
  }
}

TEST(Fades, OfNothingLeaveAllAsItIs) {
  const auto tone = testing::tone(0.1, 16000).samples;
  EXPECT_EQ(faded(tone, 1, 0, 0, 77), tone);
  EXPECT_TRUE(faded({}, 1, 80, 80, 1).empty());
  const auto shorter = faded({1, 1, 1, 1, 1}, 1, 0, 80, 2);  // the whole fade in what there is
  EXPECT_EQ(shorter.size(), 5U);
  EXPECT_EQ(shorter.back(), 0);
  EXPECT_LT(shorter[3], shorter[0]);
}

TEST(Normalizing, ReachesTheLoudnessUnlessTheTruePeakForbids) {
  // EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS.
  std::vector<float> sine;
  for (int i = 0; i < 5 * 48000; ++i) {
    const double x = std::pow(10, -23.0 / 20) * std::sin(2 * std::numbers::pi * 1000 * i / 48000);
    sine.insert(sine.end(), 2, static_cast<float>(x));
  }
  LoudnessMeter meter(48000, 2);
  meter.add(sine);
  const Loudness loudness = meter.so_far();
  EXPECT_NEAR(loudness.lufs, -23, 0.1);
  EXPECT_NEAR(20 * std::log10(loudness.true_peak), -23, 0.1);
  EXPECT_NEAR(20 * std::log10(normalizing_gain(-14, loudness.lufs, loudness.true_peak)), 9, 0.1);
  EXPECT_NEAR(20 * std::log10(normalizing_gain(0, loudness.lufs, loudness.true_peak)), 22, 0.1);
  EXPECT_EQ(normalizing_gain(-14, -std::numeric_limits<double>::infinity(), 0), 1);
  EXPECT_EQ(LoudnessMeter(16000, 1).so_far().true_peak, 0);
}

TEST(Verdicts, PreferWhatIsLikelyAndAsLoudAsTheClip) {
  const auto take = [](double bits, double dbfs) {
    Measure m;
    m.samples = 1000;
    m.log_prob = -bits * std::numbers::ln2 * 1000;
    m.squares = std::pow(10, dbfs / 10) * 1000;
    return m;
  };
  EXPECT_NEAR(take(3, -20).bits_per_sample(), 3, 1e-9);
  EXPECT_NEAR(take(3, -20).level_dbfs(), -20, 1e-9);
  EXPECT_NEAR(take(3, -20).score(-24), 3, 1e-9);  // 6 dB are free
  EXPECT_NEAR(take(3, -12).score(-24), 4, 1e-9);
  EXPECT_NEAR(take(3, -42).score(-24), 5, 1e-9);
  Measure silent = take(0.01, -20);
  silent.squares = 0;
  EXPECT_GT(silent.score(-24), take(6, -24).score(-24));
}

TEST(Recipes, KeepWhatWasDoneToTheTakeAndOldOnesDidNothing) {
  Recipe r;
  r.model_sha256 = r.clip_sha256 = std::string(64, 'a');
  r.sample_rate = r.file_rate = 16000;
  r.samples = 100;
  r.backend = "cpu";
  r.weights = "half";
  r.file = "a.wav";
  EXPECT_EQ(nlohmann::json::parse(recipe_json(r)).at("mambo_recipe"), 1);
  EXPECT_EQ(nlohmann::json::parse(recipe_json(r)).count("fade_in_ms"), 0U);
  r.finish.bits = SampleBits::pcm24;
  r.finish.fade_out_ms = 5;
  r.finish.lufs = -18.5;
  r.finish.stereo = true;
  r.finish.rng_seed_right = 18446744073709551615ULL;
  r.verdict = Verdict{2, 9, 7, 1, 3.5, -20, 3.5};
  const Recipe back = parse_recipe(recipe_json(r), "a.json");
  EXPECT_TRUE(back.finish == r.finish);
  EXPECT_TRUE(same_sound(back, r));
  ASSERT_TRUE(back.verdict);
  EXPECT_EQ(back.verdict->of, 9);
  // A stranger's values are held to the options' ranges.
  for (const auto& [key, value] :
       std::multimap<std::string, nlohmann::json>{{"bits", "32"},
                                                  {"bits", 16},
                                                  {"fade_in_ms", -1},
                                                  {"fade_out_ms", 1e9},
                                                  {"normalize_lufs", 3},
                                                  {"normalize_lufs", "loud"},
                                                  {"channels", 3},
                                                  {"channels", 1.5},
                                                  {"rng_seed_right", -1},
                                                  {"kept_of_many", 3}}) {
    auto j = nlohmann::json::parse(recipe_json(r));
    j[key] = value;
    EXPECT_THROW(parse_recipe(j.dump(), "a.json"), Error) << key << value;
  }
}

}  // namespace
}  // namespace mambo
