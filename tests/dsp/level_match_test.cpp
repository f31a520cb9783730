#include "dsp/level_match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "dsp/output_stage.h"

namespace mambo {
namespace {

constexpr double rate = 16000;

// BS.1770: a sine of 997 Hz at full scale, in one channel, has -3.01 LUFS.
std::vector<float> sine(double seconds, double lufs) {
  std::vector<float> x(static_cast<std::size_t>(seconds * rate));
  const double amplitude = std::pow(10.0, (lufs + 3.01) / 20);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(amplitude *
                              std::sin(2 * std::numbers::pi * 997 * static_cast<double>(i) / rate));
  }
  return x;
}

double hear(LoudnessWindow& window, const std::vector<float>& x) {
  for (const float s : x) window.hear(s);
  return window.lufs();
}

TEST(LoudnessWindow, MeasuresASineAndForgetsWhatIsPast) {
  LoudnessWindow window;
  window.prepare(rate);
  EXPECT_EQ(hear(window, sine(0.3, -20)), LoudnessWindow::kNothing);
  EXPECT_NEAR(hear(window, sine(3, -20)), -20, 0.1);
  EXPECT_NEAR(hear(window, sine(10, -35)), -35, 0.1);
}

TEST(LoudnessWindow, LeavesRestsOutAndIsSilentInSilence) {
  LoudnessWindow window;
  window.prepare(rate);
  hear(window, sine(4, -20));
  EXPECT_NEAR(hear(window, std::vector<float>(4 * 16000)), -20, 0.3);
  EXPECT_EQ(window.momentary(), LoudnessWindow::kNothing);
  EXPECT_EQ(hear(window, std::vector<float>(10 * 16000)), LoudnessWindow::kNothing);
}

std::vector<float> through(LevelMatch& match, std::vector<float> x) {
  for (float& s : x) s = match.process(s);
  return x;
}

TEST(LevelMatch, OffEverySamplePassesBitForBit) {
  LevelMatch match;
  match.prepare(rate);
  const std::vector<float> x = sine(12, -12);
  EXPECT_EQ(through(match, x), x);
  // And again once it was on.
  match.set(-30);
  through(match, x);
  EXPECT_LT(match.gain_db(), -10);
  match.set({});
  through(match, sine(4, -12));
  EXPECT_EQ(match.gain_db(), 0);
  EXPECT_EQ(through(match, x), x);
}

TEST(LevelMatch, ComesSlowlyToTheLoudnessWanted) {
  LevelMatch match;
  match.prepare(rate);
  match.set(-28);
  through(match, sine(1, -21));
  EXPECT_GT(match.gain_db(), -1) << "not at once";
  through(match, sine(14, -21));
  EXPECT_NEAR(match.gain_db(), -7, 0.2);
  LoudnessWindow out;
  out.prepare(rate);
  EXPECT_NEAR(hear(out, through(match, sine(12, -21))), -28, 0.2);
}

TEST(LevelMatch, IsBounded) {
  for (const double wanted : {-60.0, 0.0}) {
    LevelMatch match;
    match.prepare(rate);
    match.set(wanted);
    through(match, sine(30, -30));
    EXPECT_NEAR(std::fabs(match.gain_db()), LevelMatch::kMost_db, 0.1);
    EXPECT_LE(std::fabs(match.gain_db()), LevelMatch::kMost_db);
  }
}

TEST(LevelMatch, StandsStillInSilenceAndInWhatIsMuchQuieter) {
  LevelMatch match;
  match.prepare(rate);
  match.set(-20);
  through(match, sine(12, -24));
  through(match, std::vector<float>(8000));  // what sounded is no longer in the last 400 ms
  const double before = match.gain_db();
  EXPECT_NEAR(before, 4, 0.3);
  through(match, std::vector<float>(60 * 16000));
  EXPECT_EQ(match.gain_db(), before);
  through(match, sine(12, -24));
  const double again = match.gain_db();
  through(match, sine(0.5, -50));
  const double quiet = match.gain_db();
  through(match, sine(2, -50));
  EXPECT_EQ(match.gain_db(), quiet);
  EXPECT_NEAR(quiet, again, 0.5);
}

TEST(LevelMatch, NeverClicks) {
  LevelMatch match;
  match.prepare(rate);
  match.set(-40);
  std::vector<float> out = through(match, std::vector<float>(16000, 0.0F));
  const std::vector<float> x = sine(20, -20);
  out = through(match, x);
  float most = 0;
  float natural = 0;
  for (std::size_t i = 1; i < out.size(); ++i) {
    most = std::max(most, std::fabs(out[i] - out[i - 1]));
    natural = std::max(natural, std::fabs(x[i] - x[i - 1]));
  }
  EXPECT_LE(most, natural * 1.001F);
}

// In the output: before the limiter, and the audition does not take part.
TEST(LevelMatch, InTheOutputStageIsHeardAndReported) {
  RingBuffer<float> ring(1U << 19U);
  OutputStage stage(ring);
  stage.prepare(static_cast<int>(rate), static_cast<int>(rate), 1);
  ring.write(sine(20, -12));
  stage.set_playing(true);
  stage.set_match(-20);
  std::vector<float> out(16000);
  for (int s = 0; s < 19; ++s) stage.render(out.data(), out.size());
  EXPECT_NEAR(stage.heard_lufs(), -12, 0.1) << "as drawn";
  LoudnessWindow window;
  window.prepare(rate);
  EXPECT_NEAR(hear(window, out), -20, 0.5);
}

}  // namespace
}  // namespace mambo
