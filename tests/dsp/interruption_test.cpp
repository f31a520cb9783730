// Interruptions of a sine, at every moment and on devices of several rates: the output never moves
// by more than the sine and the fade do, and no sample is skipped unasked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "dsp/output_stage.h"

namespace mambo {
namespace {

constexpr int rate = 16000;
constexpr double level = 0.9, pitch = 440.0;
constexpr std::size_t fade = 80;  // 5 ms

float sine(std::uint64_t n) {
  return static_cast<float>(level *
                            std::sin(2 * std::numbers::pi * pitch * static_cast<double>(n) / rate));
}

void feed(RingBuffer<float>& ring, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float x = sine(ring.written());
    ring.write({&x, 1});
  }
}

// The sine's own slope plus the fade's, per device sample; a tenth for the resampler's ripple.
double bound(int device) {
  const double slope = level * 2 * std::numbers::pi * pitch / rate;
  const double fading = level * std::numbers::pi / (2.0 * fade);
  return (slope + fading) * rate / device * 1.1 + 1e-6;
}

class Listener {
 public:
  explicit Listener(OutputStage& stage) : stage_(stage) {}
  void hear(std::size_t frames) {
    block_.resize(frames);
    stage_.render(block_.data(), frames);
    for (const float x : block_) {
      worst_ = std::max(worst_, std::fabs(static_cast<double>(x) - last_));
      loudest_ = std::max(loudest_, std::fabs(x));
      last_ = x;
    }
  }
  double worst() const { return worst_; }
  float last() const { return last_; }
  float loudest() const { return loudest_; }
  void forget_loudest() { loudest_ = 0; }

 private:
  OutputStage& stage_;
  std::vector<float> block_;
  double worst_ = 0;
  float last_ = 0, loudest_ = 0;
};

class Interruption : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Devices, Interruption, ::testing::Values(16000, 44100, 48000, 96000),
                         [](const auto& i) { return std::to_string(i.param); });

// The supply ends after any number of samples over a whole period, comes back later.
TEST_P(Interruption, RunningDryAtAnyMomentIsOneFadeOneUnderrunAndARecovery) {
  const int device = GetParam();
  const auto frames = [&](std::size_t samples) {
    return samples * static_cast<std::size_t>(device) / rate;
  };
  for (std::size_t n = 300; n < 340; ++n) {  // a period is 36.4 samples
    RingBuffer<float> ring(4096);
    OutputStage stage(ring);
    stage.prepare(rate, device, 1);
    stage.set_refill(200);
    stage.set_playing(true);
    Listener ear(stage);
    feed(ring, n);
    for (int i = 0; i < 30; ++i) ear.hear(frames(32));
    EXPECT_EQ(stage.underruns(), 1U) << n;
    EXPECT_EQ(ring.consumed(), n) << "faded out over all that there was";
    EXPECT_LT(std::fabs(ear.last()), 1e-4F) << n;
    EXPECT_GT(ear.loudest(), 0.85F) << n;

    ear.forget_loudest();
    feed(ring, 199);
    for (int i = 0; i < 10; ++i) ear.hear(frames(32));
    EXPECT_LT(ear.loudest(), 1e-4F) << "too few to begin again";
    feed(ring, 1);
    ear.hear(frames(32));
    feed(ring, 600);
    for (int i = 0; i < 10; ++i) ear.hear(frames(32));
    EXPECT_GT(ear.loudest(), 0.85F) << n;
    EXPECT_EQ(stage.underruns(), 1U) << n;
    EXPECT_LE(ear.worst(), bound(device)) << n;
  }
}

TEST_P(Interruption, ALifeOfPausesCutsAndShortagesNeverSteps) {
  const int device = GetParam();
  RingBuffer<float> ring(4096);
  OutputStage stage(ring);
  stage.prepare(rate, device, 1);
  stage.set_refill(250);
  Listener ear(stage);
  std::mt19937 rng(static_cast<unsigned>(device));
  for (int i = 0; i < 3000; ++i) {
    const auto what = rng() % 16;
    if (what < 2) stage.set_playing(what == 0 || rng() % 2 == 0);
    if (what == 2) stage.cut(ring.written());
    if (what > 6 && ring.room() > 700) feed(ring, rng() % 500);
    ear.hear(1 + rng() % (static_cast<unsigned>(device) / 50));
    ASSERT_LE(ear.worst(), bound(device)) << i;
  }
  EXPECT_GT(stage.underruns(), 10U);
  EXPECT_GT(ear.loudest(), 0.85F);
}

// The last samples before a shortage are heard, each under the fade: not one of them held instead.
TEST(RunningDry, FadesOutOverTheSamplesThatAreLeft) {
  constexpr std::size_t n = 500;
  RingBuffer<float> ring(4096);
  OutputStage stage(ring);
  stage.prepare(rate, rate, 1);
  const auto delay = static_cast<std::size_t>(std::lround(stage.latency_s() * rate));
  stage.set_refill(n);
  stage.set_playing(true);
  feed(ring, n);
  std::vector<float> out(n + delay);
  stage.render(out.data(), out.size());
  for (std::size_t k = 1; k <= fade; ++k) {
    const double gain = 0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(k) / fade);
    const std::size_t i = n - fade + k - 1;
    EXPECT_NEAR(out[i + delay], sine(i) * gain, 1e-5) << k;
  }
}

// Sample by sample at the model's own rate: each sample out belongs to a known sample of the ring.
// None is skipped or repeated, the output outside fades is that sample, and silence consumes
// nothing.
TEST(Pause, GoesOnWithTheVeryNextSample) {
  RingBuffer<float> ring(1 << 14);
  OutputStage stage(ring);
  stage.prepare(rate, rate, 1);
  const auto delay = static_cast<std::size_t>(std::lround(stage.latency_s() * rate));
  feed(ring, 12000);
  std::mt19937 rng(5);
  std::vector<std::int64_t> source;  // of each frame; -1: none was taken
  std::vector<float> out;
  bool playing = false;
  std::size_t since = 0;      // frames since playing last changed
  std::vector<bool> settled;  // beyond any fade
  while (ring.written() - ring.consumed() > 1000) {
    if (since > 60 && rng() % 150 == 0) {
      playing = !playing;
      since = 0;
    }
    stage.set_playing(playing);
    const std::uint64_t before = ring.consumed();
    float x = 0;
    stage.render(&x, 1);
    const std::uint64_t taken = ring.consumed() - before;
    ASSERT_LE(taken, 1U);
    source.push_back(taken == 1 ? static_cast<std::int64_t>(before) : -1);
    settled.push_back(++since > 2 * fade);
    out.push_back(x);
    if (settled.back()) {
      ASSERT_EQ(taken, playing ? 1U : 0U) << "frame " << out.size();
    }
  }
  std::size_t exact = 0;
  for (std::size_t i = 0; i + delay < out.size(); ++i) {
    const float want = source[i] < 0 ? 0.0F : sine(static_cast<std::uint64_t>(source[i]));
    const float got = out[i + delay];
    if (settled[i]) {
      ASSERT_EQ(got, want) << i;
      ++exact;
    }
    ASSERT_LE(std::fabs(got), std::fabs(want)) << i;
    ASSERT_GE(got * want, 0.0F) << i;
  }
  EXPECT_GT(exact, 3000U);
  EXPECT_EQ(stage.underruns(), 0U);
}

}  // namespace
}  // namespace mambo
