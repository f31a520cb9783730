#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/dc_blocker.h"
#include "dsp/fader.h"
#include "dsp/limiter.h"
#include "dsp/mulaw.h"
#include "dsp/resampler.h"

namespace mambo {
namespace {

std::vector<float> noise(std::size_t n, float level, unsigned seed = 1) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> uniform(-level, level);
  std::vector<float> v(n);
  for (float& x : v) x = uniform(rng);
  return v;
}

TEST(Mulaw, TablesAreTheFunctionsAndCodesSurviveTheRoundTrip) {
  const auto mu = mulaw_table();
  const auto linear = linear8_table();
  for (int c = 0; c < 256; ++c) {
    const auto code = static_cast<std::uint8_t>(c);
    EXPECT_EQ(mu[code], mulaw_decode(code));
    EXPECT_EQ(linear[code], linear8_decode(code));
    EXPECT_EQ(mulaw_encode(mu[code]), code);
    EXPECT_EQ(linear8_encode(linear[code]), code);
  }
  EXPECT_EQ(mulaw_encode(0.0F), 128);
}

TEST(Limiter, BelowTheCeilingItIsADelayBitForBit) {
  Limiter limiter(1.0F);
  limiter.prepare(24, 1000);
  std::vector<float> in = noise(5000, 1.0F);
  in[100] = 1.0F;
  in[200] = -1.0F;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float out = limiter.process(in[i]);
    ASSERT_EQ(out, i < 24 ? 0.0F : in[i - 24]) << i;
  }
}

TEST(Limiter, NothingLeavesBeyondTheCeilingAndItRecoversCompletely) {
  Limiter limiter(0.9F);
  limiter.prepare(24, 200);
  std::vector<float> in = noise(3000, 8.0F);
  const std::vector<float> quiet = noise(5000, 0.5F, 2);
  in.insert(in.end(), quiet.begin(), quiet.end());
  in[1000] = std::numeric_limits<float>::quiet_NaN();
  in[1001] = std::numeric_limits<float>::infinity();
  std::size_t exact = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float out = limiter.process(in[i]);
    ASSERT_LE(std::fabs(out), 0.9F) << i;
    exact = i >= 24 && out == in[i - 24] ? exact + 1 : 0;
  }
  EXPECT_GT(exact, 1000U);  // back to bit for bit, and stays there
}

TEST(Limiter, TurnsDownSmoothly) {
  Limiter limiter(1.0F);
  limiter.prepare(24, 200);
  // A constant below the ceiling, with one peak of 4: the gain around it must not jump.
  float before = 0.5F, worst = 0;
  for (int i = 0; i < 2000; ++i) {
    const float out = limiter.process(i == 1000 ? 4.0F : 0.5F);
    if (i >= 24 && i != 1024) {
      worst = std::max(worst, std::fabs(out - before));
      before = out;
    }
    if (i == 1024) {
      EXPECT_NEAR(out, 1.0F, 1e-4F);
    }
  }
  EXPECT_LT(worst, 0.5F * 0.75F / 24 * 1.5F);
}

TEST(DcBlocker, SoundWithoutAnOffsetPassesBitForBit) {
  std::mt19937 rng(5);
  std::uniform_real_distribution<float> uniform(-1, 1);
  DcBlocker noise_blocker;
  DcBlocker tone_blocker;
  noise_blocker.prepare(16000);
  tone_blocker.prepare(16000);
  for (int i = 0; i < 32000; ++i) {
    const float noise = 0.5F * uniform(rng);
    ASSERT_EQ(noise_blocker.process(noise), noise) << i;
    const float tone = static_cast<float>(std::sin(2 * std::numbers::pi * 40 * i / 16000.0));
    ASSERT_EQ(tone_blocker.process(tone), tone) << i;
  }
}

TEST(DcBlocker, AnOffsetGoesWithoutAStepAndSoDoesItsAbsence) {
  DcBlocker blocker;
  for (const double rate : {8000.0, 48000.0}) {
    blocker.prepare(rate);
    float before = 1;
    float worst = 0;
    const auto hear = [&](double seconds, float x) {
      for (int i = 0; i < static_cast<int>(seconds * rate); ++i) {
        const float y = blocker.process(x);
        worst = std::max(worst, std::fabs(y - before));
        before = y;
      }
    };
    hear(0.4, 1);
    EXPECT_LT(std::fabs(before), 0.1F);
    hear(2, 1);
    EXPECT_LT(std::fabs(before), DcBlocker::tolerated + 0.001F);
    EXPECT_GT(before, 0);
    EXPECT_LT(worst, 1.3e-3F * 8000 / rate);
    before = blocker.process(0);  // the sound's own step
    hear(2, 0);
    EXPECT_EQ(before, 0.0F);
  }
}

TEST(DcBlocker, WhatIsNoNumberIsForgotten) {
  DcBlocker blocker;
  blocker.prepare(16000);
  for (const float x :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(blocker.process(x), 0.0F);
    EXPECT_EQ(blocker.process(0.25F), 0.25F);
  }
}

TEST(Fader, MeetsItsEndsExactlyAndTurnsRound) {
  Fader fader(80);
  EXPECT_TRUE(fader.is_closed());
  float before = 0, worst = 0;
  const auto move = [&](float g) {
    worst = std::max(worst, std::fabs(g - before));
    before = g;
  };
  for (int i = 0; i < 50; ++i) move(fader.open());
  for (int i = 0; i < 30; ++i) move(fader.close());
  for (int i = 0; i < 60; ++i) move(fader.open());
  EXPECT_EQ(before, 1.0F);
  EXPECT_TRUE(fader.is_open());
  for (int i = 0; i < 80; ++i) move(fader.close());
  EXPECT_EQ(before, 0.0F);
  EXPECT_TRUE(fader.is_closed());
  EXPECT_LE(worst, std::numbers::pi / 160 * 1.001);
}

TEST(SmoothGain, ReachesItsTargetExactlyWithoutASteppedGain) {
  SmoothGain gain(100);
  gain.set(0.3F);
  float before = 1, worst = 0;
  for (int i = 0; i < 100; ++i) {
    const float g = gain.next();
    worst = std::max(worst, std::fabs(g - before));
    before = g;
    if (i == 50) gain.set(1.7F);
  }
  EXPECT_LE(worst, 0.0145F);
  for (int i = 0; i < 60; ++i) before = gain.next();
  EXPECT_EQ(before, 1.7F);
}

std::vector<float> convert(const std::vector<float>& in, int from, int to) {
  Resampler resampler(from, to);
  std::vector<float> out(in.size() * static_cast<std::size_t>(to) / static_cast<std::size_t>(from));
  std::size_t at = 0, done = 0;
  while (at < in.size() && done < out.size()) {  // in pieces of unequal lengths
    const std::size_t in_n = std::min<std::size_t>(37, in.size() - at);
    const std::size_t out_n = std::min<std::size_t>(101, out.size() - done);
    const auto moved = resampler.process({in.data() + at, in_n}, {out.data() + done, out_n});
    at += moved.in;
    done += moved.out;
  }
  out.resize(done);
  return out;
}

TEST(Resampler, EqualRatesCopyBitForBit) {
  const std::vector<float> in = noise(1000, 1.0F);
  EXPECT_TRUE(Resampler(16000, 16000).bypassed());
  EXPECT_EQ(Resampler(16000, 16000).latency_s(), 0.0);
  EXPECT_EQ(convert(in, 16000, 16000), in);
}

// A sine must come out as the sine of the same frequency, level and phase, and nothing else.
TEST(Resampler, KeepsASineAndAddsNothing) {
  for (const auto& [from, to] : {std::pair{16000, 48000}, {16000, 44100}, {48000, 44100}}) {
    for (const double share : {0.05, 0.45, 0.85}) {  // of the lower Nyquist frequency
      const double f = share * std::min(from, to) / 2;
      std::vector<float> in(static_cast<std::size_t>(from) / 2);
      for (std::size_t i = 0; i < in.size(); ++i) {
        in[i] = static_cast<float>(
            0.5 * std::sin(2 * std::numbers::pi * f * static_cast<double>(i) / from));
      }
      const std::vector<float> out = convert(in, from, to);
      ASSERT_GT(out.size(), static_cast<std::size_t>(to) / 3);
      double error = 0;
      for (std::size_t i = 2000; i + 2000 < out.size(); ++i) {
        const double want = 0.5 * std::sin(2 * std::numbers::pi * f * static_cast<double>(i) / to);
        error = std::max(error, std::fabs(out[i] - want));
      }
      EXPECT_LT(error, 5e-4) << from << " to " << to << " at " << f;  // 60 dB below
    }
  }
}

TEST(Resampler, RefusesNonsense) { EXPECT_THROW(Resampler(0, 48000), std::invalid_argument); }

}  // namespace
}  // namespace mambo
