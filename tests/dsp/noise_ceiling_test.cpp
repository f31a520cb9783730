#include "dsp/noise_ceiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/mulaw.h"
#include "dsp/output_stage.h"

namespace mambo {
namespace {

using Sound = std::vector<float>;

std::size_t frames(double seconds, int rate) { return static_cast<std::size_t>(seconds * rate); }

// What a model draws at a temperature of 10 comes close to: all codes alike.
Sound runaway(double seconds, int rate) {
  std::mt19937 rng(7);
  Sound x(frames(seconds, rate));
  for (float& v : x) v = mulaw_decode(static_cast<std::uint8_t>(rng() >> 24U));
  return x;
}

Sound white(double seconds, int rate, float peak) {
  std::mt19937 rng(9);
  std::uniform_real_distribution<float> uniform(-peak, peak);
  Sound x(frames(seconds, rate));
  for (float& v : x) v = uniform(rng);
  return x;
}

Sound tone(double seconds, int rate, double hz, double peak) {
  Sound x(frames(seconds, rate));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate;
    x[i] = static_cast<float>(peak * std::sin(phase));
  }
  return x;
}

// Up for this share of a period, down for the rest.
Sound pulse(double seconds, int rate, double hz, double share, float peak) {
  Sound x(frames(seconds, rate));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::fmod(hz * static_cast<double>(i) / rate, 1.0) < share ? peak : -peak;
  }
  return x;
}

Sound joined(std::initializer_list<Sound> parts) {
  Sound all;
  for (const Sound& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Sound through(NoiseCeiling& ceiling, const Sound& in) {
  Sound out(in.size());
  std::transform(in.begin(), in.end(), out.begin(), [&](float x) { return ceiling.process(x); });
  return out;
}

double rms(const Sound& x, std::size_t from, std::size_t to) {
  double sum = 0;
  for (std::size_t i = from; i < to; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum / static_cast<double>(to - from));
}

class NoiseCeilings : public ::testing::TestWithParam<int> {
 protected:
  NoiseCeilings() { ceiling_.prepare(rate()); }
  static int rate() { return GetParam(); }
  NoiseCeiling ceiling_;
};

TEST_P(NoiseCeilings, LetsEverythingElsePassBitForBit) {
  const double r = rate();
  Sound bursts;  // of a fifth of a second, as hard as they come
  for (int i = 0; i < 8; ++i) {
    bursts = joined({bursts, white(0.2, rate(), 4), Sound(frames(0.05, rate()))});
  }
  Sound hum = white(3, rate(), 8);  // loud, but dark
  float low = 0;
  const auto pole = static_cast<float>(1 - std::exp(-2 * std::numbers::pi * 300 / r));
  for (float& v : hum) v = 4 * (low += pole * (v - low));
  for (const Sound& in : {Sound(frames(1, rate())), tone(2, rate(), 50, 1), tone(2, rate(), 440, 4),
                          tone(2, rate(), 1500, 1), tone(2, rate(), 5000, 2),
                          pulse(2, rate(), 55, 0.5, 1), pulse(2, rate(), 110, 0.25, 1),
                          pulse(2, rate(), 440, 0.5, 1), pulse(2, rate(), 999, 0.1, 1),
                          pulse(2, rate(), 2500, 0.5, 1), white(3, rate(), 0.24F), bursts, hum}) {
    EXPECT_EQ(through(ceiling_, in), in);
    EXPECT_EQ(ceiling_.gain(), 1.0);
  }
}

TEST_P(NoiseCeilings, TurnsDownNoiseThatDoesNotStopAndComesBack) {
  const Sound music = tone(1.013, rate(), 300, 0.5);
  const Sound noise = rate() == 16000 ? runaway(3, rate()) : white(3, rate(), 0.9F);
  const Sound in = joined({music, noise, tone(4, rate(), 300, 0.5)});
  const Sound out = through(ceiling_, in);
  const std::size_t begins = music.size();
  const std::size_t ends = begins + noise.size();
  const std::size_t unchanged = begins + frames(NoiseCeiling::patience_s - 0.025, rate());
  for (std::size_t i = 0; i < unchanged; ++i) ASSERT_EQ(out[i], in[i]) << i;
  // Two blocks and six time constants later.
  const std::size_t down = unchanged + frames(0.05 + 0.36, rate());
  EXPECT_NEAR(rms(out, down, ends), NoiseCeiling::ceiling, 0.004);
  // No step of the gain is a click.
  float gain = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (std::fabs(in[i]) < 1e-3F) continue;
    const float now = out[i] / in[i];
    ASSERT_NEAR(now, gain, 40.0 / rate()) << i;
    gain = now;
  }
  // Back to the very samples.
  for (std::size_t i = ends + frames(0.35 + 2.2, rate()); i < out.size(); ++i) {
    ASSERT_EQ(out[i], in[i]) << i;
  }
}

TEST_P(NoiseCeilings, FollowsNoiseThatGrowsAndStaysDownWhileItLasts) {
  Sound in = white(12, rate(), 1);
  for (std::size_t i = 0; i < in.size(); ++i) {  // from -35 to +7 dBFS in twelve seconds
    const double s = static_cast<double>(i) / rate();
    in[i] *= static_cast<float>(std::pow(10.0, (-30 + 3.5 * s) / 20));
  }
  const Sound out = through(ceiling_, in);
  const std::size_t window = frames(0.1, rate());
  double loudest = 0;
  for (std::size_t i = 0; i + window < out.size(); i += window) {
    loudest = std::max(loudest, rms(out, i, i + window));
  }
  EXPECT_LT(loudest, 1.25 * std::sqrt(NoiseCeiling::loud));
  EXPECT_NEAR(rms(out, out.size() - frames(1, rate()), out.size()), NoiseCeiling::ceiling, 0.006);
}

TEST_P(NoiseCeilings, WhatIsNoNumberDoesNotStick) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, inf, -inf, 1e30F}) {
    ceiling_.process(bad);
    const Sound in = tone(1, rate(), 300, 0.5);
    EXPECT_EQ(through(ceiling_, in), in) << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(Rates, NoiseCeilings, ::testing::Values(16000, 44100, 48000));

// In the stage it acts on what is heard: behind the level, before the limiter.
TEST(OutputStage, NoiseThatDoesNotStopIsTurnedDown) {
  constexpr int rate = 16000;
  for (const float level : {0.25F, 1.0F, 4.0F}) {
    RingBuffer<float> ring(1 << 16);
    OutputStage stage(ring);
    stage.prepare(rate, 48000, 1);
    stage.set_gain(level);
    stage.set_playing(true);
    ring.write(runaway(3, rate));
    Sound out(frames(2.5, 48000));
    stage.render(out.data(), out.size());
    const double early = rms(out, frames(0.1, 48000), frames(0.3, 48000));
    const double late = rms(out, frames(1.5, 48000), out.size());
    if (level < 1) {  // turned down by hand already: nothing to do
      EXPECT_NEAR(late, early, 0.01);
    } else {
      EXPECT_GT(early, 0.2);
      EXPECT_NEAR(late, NoiseCeiling::ceiling, 0.01);
    }
  }
}

}  // namespace
}  // namespace mambo
