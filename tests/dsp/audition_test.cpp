#include "dsp/audition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/output_stage.h"

namespace mambo {
namespace {

constexpr std::size_t fade = 80;
constexpr float no_click = 0.0197F;  // of full scale through such a fade

std::vector<float> read(Audition& audition, std::size_t n) {
  std::vector<float> out(n, 9.0F);
  audition.read(out);
  return out;
}

float worst_step(const std::vector<float>& sound, float before = 0) {
  float worst = 0;
  for (const float x : sound) {
    worst = std::max(worst, std::fabs(x - before));
    before = x;
  }
  return worst;
}

TEST(Audition, IsSilentUntilAskedAndHeardToItsEnd) {
  Audition a;
  a.prepare(fade);
  EXPECT_FALSE(a.busy());
  EXPECT_EQ(read(a, 10), std::vector<float>(10, 0.0F));
  std::vector<float> ramp(1000);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 1000;
  a.play(ramp);
  EXPECT_TRUE(a.busy());
  EXPECT_TRUE(a.active());
  const auto heard = read(a, 1200);
  for (std::size_t i = fade; i < 1000 - fade; ++i) ASSERT_EQ(heard[i], ramp[i]) << i;
  EXPECT_LE(worst_step(heard), no_click);
  EXPECT_EQ(heard[1100], 0.0F);
  EXPECT_FALSE(a.busy());
  EXPECT_FALSE(a.active());
}

TEST(Audition, FadesWhereItIsStoppedOrReplaced) {
  Audition a;
  a.prepare(fade);
  a.play(std::vector<float>(5000, 1.0F));
  auto heard = read(a, 300);
  a.play(std::vector<float>(5000, -1.0F));
  const auto other = read(a, 300);
  heard.insert(heard.end(), other.begin(), other.end());
  EXPECT_EQ(heard.back(), -1.0F);
  a.play({});
  EXPECT_FALSE(a.active());
  EXPECT_TRUE(a.busy()) << "it has to fade";
  const auto end = read(a, 300);
  heard.insert(heard.end(), end.begin(), end.end());
  EXPECT_LE(worst_step(heard), no_click);
  EXPECT_EQ(heard.back(), 0.0F);
  EXPECT_FALSE(a.busy());
}

TEST(Audition, TheShortestSoundsEnd) {
  for (const std::size_t n : {1U, 2U, 79U, 80U, 159U, 161U}) {
    Audition a;
    a.prepare(fade);
    a.play(std::vector<float>(n, 1.0F));
    EXPECT_LE(worst_step(read(a, 400)), no_click) << n;
    EXPECT_FALSE(a.busy()) << n;
    EXPECT_FALSE(a.active()) << n;
  }
}

TEST(Audition, StoppedBeforeItBeganItNeverSounds) {
  Audition a;
  a.prepare(fade);
  a.play(std::vector<float>(100, 1.0F));
  a.play({});
  EXPECT_FALSE(a.busy());
  EXPECT_EQ(read(a, 200), std::vector<float>(200, 0.0F));
  a.play(std::vector<float>(1000, 0.5F));
  EXPECT_EQ(read(a, 300).back(), 0.5F);
}

// The stream stands still meanwhile and goes on where it stood, without a click and without an
// underrun.
TEST(OutputStage, AnAuditionIsHeardInPlaceOfTheStreamWhichWaits) {
  RingBuffer<float> ring(8192);
  OutputStage stage(ring, true);
  stage.prepare(16000, 16000, 1);
  stage.set_refill(200);
  stage.set_playing(true);
  ring.write(std::vector<float>(4000, 0.25F));
  std::vector<float> all;
  const auto hear = [&](std::size_t n) {
    std::vector<float> out(n);
    stage.render(out.data(), n);
    all.insert(all.end(), out.begin(), out.end());
    return out;
  };
  EXPECT_NEAR(hear(1000).back(), 0.25F, 1e-6);
  stage.audition().play(std::vector<float>(2000, -0.5F));
  EXPECT_NEAR(hear(500).back(), -0.5F, 1e-6);
  const std::uint64_t stood = ring.consumed();
  hear(1000);
  EXPECT_EQ(ring.consumed(), stood);
  EXPECT_NEAR(hear(1500).back(), 0.25F, 1e-6) << "the stream goes on by itself";
  EXPECT_GT(ring.consumed(), stood);
  EXPECT_EQ(stage.underruns(), 0U);
  EXPECT_LE(worst_step(all), no_click);
}

TEST(OutputStage, AnAuditionIsHeardWhileNothingPlays) {
  RingBuffer<float> ring(1024);
  OutputStage stage(ring, true);
  stage.prepare(16000, 16000, 1);
  stage.audition().play(std::vector<float>(1000, 0.5F));
  std::vector<float> out(500);
  stage.render(out.data(), out.size());
  EXPECT_NEAR(out.back(), 0.5F, 1e-6);
}

}  // namespace
}  // namespace mambo
