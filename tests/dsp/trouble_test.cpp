#include "dsp/trouble.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/mirror_fade.h"

namespace mambo {
namespace {

constexpr int kRate = 16000;

std::vector<float> silence(double seconds, int rate = kRate) {
  return std::vector<float>(static_cast<std::size_t>(seconds * rate));
}
std::vector<float> noise(double seconds, float level = 0.1F, int rate = kRate) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, level);
  std::vector<float> x(static_cast<std::size_t>(seconds * rate));
  for (float& s : x) s = normal(random);
  return x;
}
std::vector<float> drone(double seconds, int rate = kRate) {
  std::vector<float> x(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(0.2 *
                              std::sin(2 * std::numbers::pi * 440 * static_cast<double>(i) / rate));
  }
  return x;
}
// Notes of a fifth of a second.
std::vector<float> tune(double seconds, int rate = kRate) {
  std::vector<float> x(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t note = i / static_cast<std::size_t>(rate / 5);
    const double hz = 300 + 130 * static_cast<double>(note * note % 11);
    x[i] = static_cast<float>(0.2 *
                              std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
  }
  return x;
}

// When it is told first, s, and what; pieces of any size up to the boundary.
std::pair<Trouble, double> first_trouble(TroubleMeter& meter, const std::vector<float>& sound,
                                         std::size_t most, float nats = -1, int rate = kRate) {
  for (std::size_t at = 0; at < sound.size();) {
    const std::size_t n = std::min({most, meter.to_boundary(), sound.size() - at});
    const std::vector<float> entropy(nats >= 0 ? n : 0, nats);
    meter.hear(std::span(sound).subspan(at, n), entropy);
    at += n;
    if (meter.trouble() != Trouble::none) return {meter.trouble(), static_cast<double>(at) / rate};
  }
  return {Trouble::none, 0};
}

std::vector<float> after_a_tune(const std::vector<float>& x) {
  std::vector<float> all = tune(5);
  all.insert(all.end(), x.begin(), x.end());
  return all;
}

TEST(TroubleMeter, TellsEachKindAfterItsTimeWhateverIsCutWhere) {
  const TroubleLimits limits;
  for (const std::size_t most : {1U, 77U, 256U, 5000U}) {
    TroubleMeter meter;
    meter.prepare(kRate, limits);
    const auto [silent, s_at] = first_trouble(meter, after_a_tune(silence(20)), most);
    EXPECT_EQ(silent, Trouble::silence);
    EXPECT_NEAR(s_at, 5 + limits.silence_s, 0.8);
    EXPECT_NEAR(meter.lasted_s(), limits.silence_s, 0.5);
    meter.reset();
    const auto [noisy, n_at] = first_trouble(meter, after_a_tune(noise(20)), most);
    EXPECT_EQ(noisy, Trouble::noise);
    EXPECT_NEAR(n_at, 5 + limits.noise_s, 0.8);
    meter.reset();
    const auto [still, d_at] = first_trouble(meter, after_a_tune(drone(20)), most);
    EXPECT_EQ(still, Trouble::drone);
    EXPECT_NEAR(d_at, 5 + limits.drone_s, 0.8);
    EXPECT_FALSE(meter.is_well());
  }
}

TEST(TroubleMeter, AtAnyRate) {
  for (const int rate : {8000, 22050, 44100, 48000}) {
    TroubleMeter meter;
    meter.prepare(rate, {});
    EXPECT_NEAR(meter.block_s(), 0.25, 0.05) << rate;
    EXPECT_EQ(first_trouble(meter, drone(12, rate), 999, -1, rate).first, Trouble::drone) << rate;
    meter.reset();
    EXPECT_EQ(first_trouble(meter, noise(8, 0.1F, rate), 999, -1, rate).first, Trouble::noise);
    meter.reset();
    EXPECT_EQ(first_trouble(meter, tune(20, rate), 999, -1, rate).first, Trouble::none) << rate;
  }
}

TEST(TroubleMeter, ATuneWithRestsIsWell) {
  std::vector<float> sound;
  for (int i = 0; i < 4; ++i) {
    for (const auto& part : {tune(6), silence(4), drone(2), tune(3), noise(1)}) {
      sound.insert(sound.end(), part.begin(), part.end());
    }
  }
  TroubleMeter meter;
  meter.prepare(kRate, {});
  EXPECT_EQ(first_trouble(meter, sound, 4096).first, Trouble::none);
}

// Breath and brushes are flat, and the model knows what comes.
TEST(TroubleMeter, NoiseOfWhichTheModelIsSureIsNone) {
  TroubleMeter meter;
  TroubleLimits limits;
  limits.drone_s = 1000;
  meter.prepare(kRate, limits);
  EXPECT_EQ(first_trouble(meter, noise(20), 256, 1.5F).first, Trouble::none);
  EXPECT_EQ(first_trouble(meter, noise(20), 256, 4.5F).first, Trouble::noise);
}

TEST(TroubleMeter, WhatTheClipDoesItselfIsNoTrouble) {
  const TroubleLimits least;
  EXPECT_TRUE(limits_beside({}, kRate, least) == least);
  EXPECT_TRUE(limits_beside(tune(10), kRate, least) == least);
  EXPECT_NEAR(limits_beside(after_a_tune(silence(8)), kRate, least).silence_s, 16, 1);
  EXPECT_NEAR(limits_beside(silence(60), kRate, least).silence_s, 30, 0.1) << "bounded";
  EXPECT_NEAR(limits_beside(drone(7), kRate, least).drone_s, 14, 1);
  const TroubleLimits of_rain = limits_beside(noise(10), kRate, least);
  TroubleMeter meter;
  meter.prepare(kRate, of_rain);
  EXPECT_NE(first_trouble(meter, noise(10), 4096).first, Trouble::noise);
}

TEST(MirrorFade, GoesOverWithoutAJumpWhateverIsCutWhere) {
  const std::vector<float> before = drone(1);
  const std::vector<float> after = tune(1);
  std::vector<float> whole;
  for (const std::size_t piece : {16000U, 1U, 37U, 480U}) {
    MirrorFade fade;
    fade.prepare(kRate);
    std::vector<float> out;
    const auto pass = [&](std::vector<float> x) {
      for (std::size_t at = 0; at < x.size(); at += piece) {
        fade.pass(std::span(x).subspan(at, std::min(piece, x.size() - at)));
      }
      out.insert(out.end(), x.begin(), x.end());
    };
    pass(before);
    fade.begin();
    pass(after);
    if (whole.empty()) whole = out;
    EXPECT_EQ(out, whole) << piece;
  }
  for (std::size_t i = 0; i < before.size(); ++i) ASSERT_EQ(whole[i], before[i]);
  const auto length = static_cast<std::size_t>(MirrorFade::kFade_s * kRate) + 1;
  for (std::size_t i = length; i < after.size(); ++i) {
    ASSERT_EQ(whole[before.size() + i], after[i]);
  }
  // Neither sound moves by more than 0.13 from one sample to the next.
  for (std::size_t i = 1; i < whole.size(); ++i) {
    ASSERT_LT(std::fabs(whole[i] - whole[i - 1]), 0.14F) << i;
  }
}

}  // namespace
}  // namespace mambo
