// The stage in use: one thread fills the ring, one renders, one changes the controls.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "dsp/output_stage.h"

namespace mambo {
namespace {

TEST(OutputStageThreads, CutPausedAndStarvedAtAnyMomentItNeverClicks) {
  RingBuffer<float> ring(2048);
  OutputStage stage(ring, true);
  stage.set_refill(200);
  std::atomic<bool> stop{false};
  std::thread producer([&] {
    std::mt19937 rng(5);
    const std::vector<float> loud(128, 1.0F);
    while (!stop) {
      if (ring.room(128) >= 128 && ring.written() - ring.consumed() < 512) ring.write(loud);
      if (rng() % 64 == 0) stage.cut(ring.written());  // Again: the generator thread cuts
      if (rng() % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::thread owner([&] {
    for (unsigned i = 0; !stop; ++i) {
      stage.set_playing(i % 8 != 0);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  std::mt19937 rng(6);
  std::vector<float> block(300);
  float before = 0, worst = 0, loudest = 0;
  std::uint64_t consumed = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::size_t n = 1 + rng() % block.size();
    stage.render(block.data(), n);
    for (std::size_t k = 0; k < n; ++k) {
      worst = std::max(worst, std::fabs(block[k] - before));
      before = block[k];
      loudest = std::max(loudest, before);
    }
    ASSERT_GE(stage.place().consumed, consumed);
    consumed = stage.place().consumed;
    if (i % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  stop = true;
  producer.join();
  owner.join();
  EXPECT_LE(worst, 0.0197F);  // pi/160: the steepest place of a fade of 80 samples
  EXPECT_EQ(loudest, 1.0F);   // and it was heard
  EXPECT_EQ(ring.consumed(), consumed);
}

// Two cuts in succession: once the last is taken up, only what follows it may be played.
TEST(OutputStageThreads, ASecondCutInTheMiddleOfAFirstOneWins) {
  for (std::size_t at = 1; at < 160; at += 7) {
    RingBuffer<float> ring(8192);
    OutputStage stage(ring, true);
    stage.set_playing(true);
    ring.write(std::vector<float>(1000, 0.25F));
    std::vector<float> sound(300);
    stage.render(sound.data(), sound.size());
    stage.cut(ring.written());
    ring.write(std::vector<float>(1000, -0.5F));
    sound.resize(at);
    stage.render(sound.data(), sound.size());
    stage.cut(ring.written());
    ring.write(std::vector<float>(1000, 0.75F));
    sound.resize(600);
    stage.render(sound.data(), sound.size());
    EXPECT_EQ(sound.back(), 0.75F) << at;
    EXPECT_EQ(stage.underruns(), 0U) << at;
  }
}

}  // namespace
}  // namespace mambo
