#include "dsp/output_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace mambo {
namespace {

constexpr int rate = 16000;

// The worst for clicks: constant full scale, whose offset the stages below keep.
void fill(RingBuffer<float>& ring, std::size_t n, float value = 1.0F) {
  ring.write(std::vector<float>(n, value));
}

// Largest step between neighbouring samples, over everything fed to it.
struct StepMeter {
  float before = 0, worst = 0;
  void hear(const std::vector<float>& sound) {
    for (const float x : sound) {
      worst = std::max(worst, std::fabs(x - before));
      before = x;
    }
  }
};
// A fade of 80 samples moves full scale by at most pi/160 per sample.
constexpr float no_click = 0.0197F;

std::vector<float> hear(OutputStage& stage, std::size_t frames) {
  std::vector<float> out(frames);
  stage.render(out.data(), frames);
  return out;
}

TEST(OutputStage, SilentUntilPlayingAndRefilled) {
  RingBuffer<float> ring(4096);
  OutputStage stage(ring, true);
  stage.set_refill(500);
  EXPECT_EQ(hear(stage, 100), std::vector<float>(100));
  fill(ring, 400);
  EXPECT_EQ(hear(stage, 100), std::vector<float>(100));
  stage.set_playing(true);
  EXPECT_EQ(hear(stage, 100), std::vector<float>(100));
  EXPECT_EQ(ring.consumed(), 0U);
  fill(ring, 100);
  hear(stage, 100);
  EXPECT_EQ(ring.consumed(), 100U);
  EXPECT_FALSE(stage.is_closed());
  EXPECT_EQ(stage.underruns(), 0U);
}

TEST(OutputStage, AtTheModelsRateAndZeroDecibelsSamplesPassUnchanged) {
  RingBuffer<float> ring(1 << 14);
  OutputStage stage(ring);
  stage.prepare(rate, rate, 2);
  stage.set_playing(true);
  std::mt19937 rng(3);
  std::uniform_real_distribution<float> uniform(-0.24F, 0.24F);  // what the noise ceiling lets pass
  std::vector<float> in(10000);
  for (float& x : in) x = uniform(rng);
  ring.write(in);
  std::vector<float> left;
  while (left.size() < 9000) {
    std::vector<float> out(2 * (1 + rng() % 700));
    stage.render(out.data(), out.size() / 2);
    for (std::size_t i = 0; i < out.size(); i += 2) {
      ASSERT_EQ(out[i], out[i + 1]);
      left.push_back(out[i]);
    }
  }
  const std::size_t delay = rate * 15 / 10000;  // the limiter's
  for (std::size_t i = stage.reserve(); i < 9000 - delay; ++i) {
    ASSERT_EQ(left[i + delay], in[i]) << i;
  }
}

// The ring runs dry at every possible moment, during any other transition.
TEST(OutputStage, RunningDryNeverClicks) {
  for (std::size_t n = 0; n < 700; n += 3) {
    RingBuffer<float> ring(4096);
    OutputStage stage(ring, true);
    stage.set_playing(true);
    StepMeter meter;
    fill(ring, n);
    for (int i = 0; i < 12; ++i) meter.hear(hear(stage, 64));
    EXPECT_LE(meter.worst, no_click) << n;
    EXPECT_EQ(meter.before, 0.0F) << n;
    EXPECT_EQ(stage.underruns(), n > stage.reserve() ? 1U : 0U) << n;
    if (ring.filled() > 0) continue;  // never opened
    fill(ring, 300, -1.0F);           // resumes with a different signal
    for (int i = 0; i < 8; ++i) meter.hear(hear(stage, 64));
    EXPECT_LE(meter.worst, no_click) << n;
  }
}

TEST(OutputStage, RefilledWhileFadingOutTurnsRound) {
  RingBuffer<float> ring(4096);
  OutputStage stage(ring, true);
  stage.set_playing(true);
  StepMeter meter;
  fill(ring, 200);
  meter.hear(hear(stage, 150));  // 30 samples into the reserve
  EXPECT_EQ(stage.underruns(), 1U);
  fill(ring, 1000);
  meter.hear(hear(stage, 300));
  EXPECT_LE(meter.worst, no_click);
  EXPECT_EQ(meter.before, 1.0F);
  EXPECT_EQ(stage.underruns(), 1U);
}

TEST(OutputStage, PausingFadesKeepsTheRestAndIsNoUnderrun) {
  RingBuffer<float> ring(4096);
  OutputStage stage(ring, true);
  stage.set_playing(true);
  fill(ring, 2000);
  StepMeter meter;
  meter.hear(hear(stage, 500));
  stage.set_playing(false);
  meter.hear(hear(stage, 500));
  EXPECT_EQ(meter.before, 0.0F);
  EXPECT_TRUE(stage.is_closed());
  EXPECT_EQ(ring.consumed(), 500 + stage.reserve());
  stage.set_playing(true);
  meter.hear(hear(stage, 500));
  EXPECT_EQ(meter.before, 1.0F);
  EXPECT_LE(meter.worst, no_click);
  EXPECT_EQ(stage.underruns(), 0U);
}

// Again: the contents of the ring are discarded, what was written after the cut is played; at every
// position of the cut, also so close that no sample is left to fade out with.
TEST(OutputStage, CuttingNeverClicksAndLosesNothingBehindTheCut) {
  for (std::size_t left = 0; left < 300; ++left) {
    RingBuffer<float> ring(4096);
    OutputStage stage(ring, true);
    stage.set_playing(true);
    fill(ring, 400 + left);
    StepMeter meter;
    meter.hear(hear(stage, 320));
    stage.cut(ring.written());
    fill(ring, 1000, -1.0F);
    std::vector<float> after = hear(stage, 400);
    meter.hear(after);
    EXPECT_LE(meter.worst, no_click) << left;
    EXPECT_EQ(meter.before, -1.0F) << left;
    EXPECT_EQ(stage.underruns(), 0U) << left;
    EXPECT_GE(ring.consumed(), 400 + left);
    const auto first = std::find_if(after.begin(), after.end(), [](float x) { return x < 0; });
    // Closed 24 + 80 samples in; from there on the new sound, from its first sample.
    EXPECT_NEAR(static_cast<double>(first - after.begin()), 24 + 80, 1) << left;
    EXPECT_EQ(ring.consumed() - (400 + left), 400U - 80U) << left;
  }
}

TEST(OutputStage, ACutWhilePausedStartsWithTheNewSound) {
  RingBuffer<float> ring(4096);
  OutputStage stage(ring, true);
  fill(ring, 1000);
  hear(stage, 64);
  stage.cut(ring.written());
  hear(stage, 64);
  EXPECT_EQ(ring.consumed(), 1000U);
  fill(ring, 500, -1.0F);
  stage.set_playing(true);
  const std::vector<float> sound = hear(stage, 300);
  EXPECT_EQ(std::count_if(sound.begin(), sound.end(), [](float x) { return x > 0; }), 0);
  EXPECT_EQ(sound.back(), -1.0F);
}

TEST(OutputStage, RandomLifeWithResamplingNeverClicks) {
  RingBuffer<float> ring(8192);
  OutputStage stage(ring, true);
  stage.prepare(rate, 48000, 1);
  stage.set_refill(400);
  std::mt19937 rng(4);
  StepMeter meter;
  for (int i = 0; i < 4000; ++i) {
    switch (rng() % 8) {
      case 0:
        stage.set_playing(rng() % 4 != 0);
        break;
      case 1:
        if (rng() % 4 == 0) stage.cut(ring.written());
        break;
      case 2:
      case 3:
      case 4:
        if (ring.room() > 600) fill(ring, 1 + rng() % 600, 0.8F);
        break;
      default:
        meter.hear(hear(stage, 1 + rng() % 900));
    }
  }
  EXPECT_LE(meter.worst, no_click);  // at 48 kHz a sample is a third of a step
  EXPECT_GT(stage.underruns(), 0U);
}

TEST(OutputStage, LevelMovesWithoutAStep) {
  RingBuffer<float> ring(1 << 14);
  OutputStage stage(ring, true);
  stage.set_playing(true);
  fill(ring, 10000, 0.5F);
  StepMeter meter;
  meter.hear(hear(stage, 500));
  stage.set_gain(4.0F);  // 0.5 would become 2: the limiter holds it at 1
  meter.hear(hear(stage, 2000));
  EXPECT_NEAR(meter.before, 1.0F, 1e-4F);
  stage.set_gain(0.0F);
  meter.hear(hear(stage, 2000));
  EXPECT_EQ(meter.before, 0.0F);
  EXPECT_LE(meter.worst, 0.03F);
}

// Full scale for ever, as of a broken model: a loudspeaker is not held there, and the end is
// silent.
TEST(OutputStage, AConstantOffsetIsTakenAway) {
  RingBuffer<float> ring(1 << 16);
  OutputStage stage(ring);
  stage.prepare(rate, 48000, 1);
  stage.set_playing(true);
  fill(ring, 40000, -1.0F);
  hear(stage, 96000);  // 2 s
  const std::vector<float> late = hear(stage, 4800);
  for (const float x : late) ASSERT_LT(std::fabs(x), 0.035F);
  StepMeter meter;
  meter.before = late.back();
  meter.hear(hear(stage, 24000));  // runs dry
  EXPECT_LT(meter.worst, 0.001F);
  EXPECT_EQ(meter.before, 0.0F);
}

TEST(OutputStage, SaysWhereItIs) {
  RingBuffer<float> ring(4096);
  OutputStage stage(ring);
  stage.prepare(rate, 48000, 2);
  EXPECT_GT(stage.latency_s(), 0.0015);
  EXPECT_LT(stage.latency_s(), 0.010);
  stage.set_playing(true);
  fill(ring, 2000);
  std::vector<float> out(2 * 1500);
  stage.render(out.data(), 1500);
  EXPECT_EQ(stage.block(), 500U);
  EXPECT_EQ(stage.place().consumed, ring.consumed());
  EXPECT_GT(stage.place().when_ns, 0);
  // The resampler looks a few milliseconds ahead, and nothing is pulled beyond that.
  EXPECT_GE(ring.consumed(), 500U);
  EXPECT_LE(ring.consumed(), 500U + 16U * 10U);
}

}  // namespace
}  // namespace mambo
