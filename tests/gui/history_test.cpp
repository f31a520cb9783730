#include "app/gui/history/history.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mambo::gui {
namespace {

HistoryShape shape() {
  HistoryShape s;
  s.rate = 1000;
  for (int i = 0; i < 256; ++i) s.decode[static_cast<std::size_t>(i)] = static_cast<float>(i) / 255;
  s.layers = {{4, 1}, {8, 16}};
  return s;
}

Observation observed(std::uint64_t generation, std::uint64_t first, int n, bool from_clip = false) {
  Observation o;
  o.generation = generation;
  o.first = first;
  o.from_clip = from_clip;
  for (int i = 0; i < n; ++i) {
    o.codes.push_back(static_cast<std::uint8_t>((first + static_cast<std::uint64_t>(i)) % 251));
    if (!from_clip) o.log_prob.push_back(-std::log(4.0F));
    if (!from_clip) o.entropy.push_back(std::log(8.0F));
  }
  LayerSummary s;
  s.mean = 0.25F;
  s.min = 0.125F;
  s.max = 0.5F;
  s.steps = n;
  o.layers = {s, s};
  return o;
}

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() { history_.set_model(shape()); }
  History history_{10.0, std::size_t{1} << 20U};
};

TEST_F(HistoryTest, KeepsCodesSamplesAndBits) {
  history_.add(observed(1, 0, 500, true));
  history_.add(observed(1, 500, 128));
  EXPECT_EQ(history_.clip_end(), 500U);
  EXPECT_EQ(history_.end(), 628U);
  EXPECT_EQ(history_.code_at(600), 600 % 251);
  EXPECT_EQ(history_.code_at(628), -1);
  EXPECT_FLOAT_EQ(history_.samples().at(10), 10.0F / 255);
  EXPECT_NEAR(history_.surprise().at(600), 2.0F, 1e-5F);
  EXPECT_NEAR(history_.entropy().at(600), 3.0F, 1e-5F);
  EXPECT_TRUE(std::isnan(history_.surprise().at(10)));  // the clip was not drawn
}

TEST_F(HistoryTest, HoldsALayerThatDidNotStep) {
  history_.add(observed(1, 0, 128));
  Observation o = observed(1, 128, 128);
  o.layers[1].steps = 0;
  o.layers[1].mean = 99;
  o.layers[0].mean = 0.5F;
  history_.add(o);
  const std::uint64_t cell = 200 / History::grid_samples;
  EXPECT_FLOAT_EQ(history_.layer(0).at(cell).mean, -1.0F);
  EXPECT_FLOAT_EQ(history_.layer(1).at(cell).mean, -2.0F);
}

TEST_F(HistoryTest, ShowsMissedSamplesAsUnknown) {
  history_.add(observed(1, 0, 128));
  history_.add(observed(1, 256, 128));
  EXPECT_EQ(history_.missed(), 128U);
  EXPECT_EQ(history_.code_at(130), -1);
  EXPECT_TRUE(std::isnan(history_.samples().at(130)));
  EXPECT_EQ(history_.code_at(256), 256 % 251);
}

TEST_F(HistoryTest, KeepsTheSeedWhenTheVoiceStartsAgain) {
  history_.add(observed(1, 0, 500, true));
  history_.add(observed(1, 500, 1000));
  const std::uint64_t epoch = history_.epoch();
  history_.add(observed(2, 500, 128));
  EXPECT_NE(history_.epoch(), epoch);
  EXPECT_EQ(history_.begin(), 0U);
  EXPECT_EQ(history_.end(), 628U);
  EXPECT_EQ(history_.clip_end(), 500U);
}

TEST_F(HistoryTest, StartsAnewWithAnotherClip) {
  history_.add(observed(1, 0, 500, true));
  history_.add(observed(1, 500, 1000));
  history_.add(observed(2, 0, 300, true));
  EXPECT_EQ(history_.end(), 300U);
  EXPECT_EQ(history_.clip_end(), 300U);
}

TEST_F(HistoryTest, KeepsDeltaOfTheChosenLayerAndForgetsItWithTheChoice) {
  Observation o = observed(1, 0, 128);
  o.tap_layer = 1;
  o.tap_first_step = 0;
  o.tap_steps = 8;
  o.tap_channels = 8;
  o.tap_delta.assign(64, 0.25F);
  history_.add(o);
  EXPECT_EQ(history_.tap_layer(), 1);
  EXPECT_NEAR(history_.tap().log2_at(7, 7), -2.0F, 1e-3F);
  const std::uint64_t epoch = history_.epoch();
  const std::uint64_t tap_epoch = history_.tap_epoch();
  Observation other = observed(1, 128, 128);
  other.tap_layer = 0;
  other.tap_first_step = 128;
  other.tap_steps = 128;
  other.tap_channels = 4;
  other.tap_delta.assign(512, 0.5F);
  history_.add(other);
  EXPECT_EQ(history_.tap_layer(), 0);
  EXPECT_EQ(history_.epoch(), epoch);  // the sound is still the same
  EXPECT_NE(history_.tap_epoch(), tap_epoch);
  EXPECT_EQ(history_.tap().begin(), 128U);
}

TEST_F(HistoryTest, KnowsTheCodesUpToTheEndWithoutAGap) {
  std::uint64_t first = 99;
  EXPECT_TRUE(history_.known_codes(first).empty());
  history_.add(observed(1, 0, 500, true));
  history_.add(observed(1, 500, 128));
  EXPECT_EQ(history_.known_codes(first).size(), 628U);
  EXPECT_EQ(first, 0U);
  history_.add(observed(1, 700, 100));
  const std::vector<std::uint8_t> codes = history_.known_codes(first);
  EXPECT_EQ(first, 700U);
  ASSERT_EQ(codes.size(), 100U);
  EXPECT_EQ(codes[3], 703 % 251);
}

// Layer 1: 8 channels, 16 samples per step. What was read aside goes before what came meanwhile.
TEST_F(HistoryTest, ThePastOfALayerJoinsWhatIsObserved) {
  const auto tapped = [](std::uint64_t first, std::uint64_t step, int steps) {
    Observation o = observed(1, first, 160);
    o.tap_layer = 1;
    o.tap_channels = 8;
    o.tap_first_step = step;
    o.tap_steps = steps;
    o.tap_delta.assign(static_cast<std::size_t>(steps) * 8, 0.5F);
    return o;
  };
  const auto past = [](std::uint64_t step, int steps, bool last) {
    PastRows rows;
    rows.layer = 1;
    rows.channels = 8;
    rows.first_step = step;
    rows.delta.assign(static_cast<std::size_t>(steps) * 8, 0.25F);
    rows.last = last;
    return rows;
  };
  history_.add(observed(1, 0, 1600, true));
  history_.add_past(past(0, 10, true));
  EXPECT_EQ(history_.tap_layer(), -1) << "nobody asked";
  history_.expect_past(1);
  history_.add_past(past(0, 90, false));
  history_.add(tapped(1600, 100, 10));
  EXPECT_EQ(history_.tap().begin(), 100U) << "not complete yet";
  history_.add_past(past(90, 13, false));
  history_.add_past(past(103, 0, true));
  EXPECT_EQ(history_.tap_layer(), 1);
  EXPECT_EQ(history_.tap().begin(), 0U);
  EXPECT_EQ(history_.tap().end(), 110U);
  for (const auto& [step, log2] : {std::pair(0, -2.0F), {99, -2.0F}, {102, -2.0F}, {103, -1.0F}}) {
    EXPECT_NEAR(history_.tap().log2_at(static_cast<std::uint64_t>(step), 5), log2, 1e-3F) << step;
  }
  history_.add(tapped(1760, 110, 10));
  EXPECT_EQ(history_.tap().end(), 120U);

  // Of a paused model, which shows nothing by itself; and forgotten when it starts again.
  history_.expect_past(0);
  PastRows rows = past(0, 100, true);
  rows.layer = 0;
  rows.channels = 4;
  history_.add_past(rows);
  EXPECT_EQ(history_.tap_layer(), 0);
  EXPECT_EQ(history_.tap().end(), 200U);
  history_.expect_past(1);
  history_.add(observed(2, 1600, 160));
  history_.add_past(past(0, 10, true));
  EXPECT_EQ(history_.tap_layer(), 0) << "of what was heard before Again";
}

TEST_F(HistoryTest, SaysHowFarBackDeltaReachesWhenItsMemoryIsSmall) {
  Observation o = observed(1, 0, 128);
  o.tap_layer = 0;
  o.tap_steps = 128;
  o.tap_channels = 4;
  o.tap_delta.assign(512, 0.25F);
  history_.add(o);
  EXPECT_DOUBLE_EQ(history_.tap_seconds_kept(), 10.0);  // 4 channels at 1 kHz: all of it fits
  History small(1000.0, std::size_t{64} << 10U);
  small.set_model(shape());
  small.add(o);
  EXPECT_LT(small.tap_seconds_kept(), 10.0);
  EXPECT_GT(small.tap_seconds_kept(), 1.0);
}

TEST_F(HistoryTest, ForgetsTheOldestAndStaysBounded) {
  for (std::uint64_t at = 0; at < 60000; at += 128) history_.add(observed(1, at, 128));
  EXPECT_GE(history_.end() - history_.begin(), 10000U);
  EXPECT_LT(history_.end() - history_.begin(), 25000U);
  EXPECT_EQ(history_.code_at(history_.begin()), static_cast<int>(history_.begin() % 251));
}

}  // namespace
}  // namespace mambo::gui
