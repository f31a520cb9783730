#include "app/gui/history/delta_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace mambo::gui {
namespace {

constexpr int channels = 24;

// Δ of a step and channel, from which both can be recovered.
float delta_of(std::uint64_t step, int channel) {
  const double wave = std::sin(0.01 * static_cast<double>(step) + channel);
  return static_cast<float>(std::exp2(-6.0 + 4.0 * wave + 0.1 * channel));
}

void push(DeltaHistory& h, std::uint64_t first, int steps) {
  std::vector<float> rows;
  for (int s = 0; s < steps; ++s) {
    for (int c = 0; c < channels; ++c) {
      rows.push_back(delta_of(first + static_cast<std::uint64_t>(s), c));
    }
  }
  h.push(first, steps, rows.data());
}

void fill(DeltaHistory& h, std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t at = from; at < to; at += 100) {
    push(h, at, static_cast<int>(std::min<std::uint64_t>(100, to - at)));
  }
}

TEST(DeltaCodes, KeepAValueWithinATwentiethOfAPercent) {
  for (double x = 1e-6; x < 200; x *= 1.013) {
    const auto value = static_cast<float>(x);
    std::uint16_t code = 0;
    encode_log2(&value, 1, &code);
    const double back = std::exp2(static_cast<double>(decode_log2(code)));
    EXPECT_NEAR(back / x, 1.0, 5e-4) << x;
  }
}

TEST(DeltaCodes, HoldWhatIsOutOfRangeAtTheEnds) {
  const float values[] = {0.0F, 1e-12F, 1e9F};
  std::uint16_t codes[3];
  encode_log2(values, 3, codes);
  EXPECT_EQ(codes[0], 1);
  EXPECT_EQ(codes[1], 1);
  EXPECT_GT(codes[2], 65000);
}

TEST(DeltaHistory, GivesEveryStepBackAndMeansOfShortStretchesExactly) {
  DeltaHistory h(std::size_t{64} << 20U);
  h.reset(channels, 20000);
  fill(h, 37, 9000);
  ASSERT_EQ(h.begin(), 37U);
  ASSERT_EQ(h.end(), 9000U);
  EXPECT_NEAR(h.log2_at(5000, 3), std::log2(delta_of(5000, 3)), 5e-4);
  EXPECT_TRUE(std::isnan(h.log2_at(36, 3)));
  EXPECT_TRUE(std::isnan(h.log2_at(9000, 3)));

  std::mt19937 rng(3);
  std::vector<float> mean;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t from = 37 + rng() % 8700;
    const std::uint64_t to = std::min<std::uint64_t>(from + 1 + rng() % 255, 9000);
    ASSERT_EQ(h.mean(from, to, mean), static_cast<double>(to - from));
    double expected = 0;
    for (std::uint64_t s = from; s < to; ++s) {
      expected += std::log2(static_cast<double>(delta_of(s, 5)));
    }
    EXPECT_NEAR(mean[5], expected / static_cast<double>(to - from), 1e-3);
  }
}

TEST(DeltaHistory, RoundsTheEndsOfLongStretchesByASixteenthAtMost) {
  DeltaHistory h(std::size_t{64} << 20U);
  h.reset(channels, 20000);
  fill(h, 0, 9000);
  std::vector<float> mean;
  for (const std::uint64_t length : {256U, 300U, 1000U, 4096U, 8000U}) {
    const double weight = h.mean(431, 431 + length, mean);
    EXPECT_GE(weight, static_cast<double>(length) * (1 - 2.0 / 16));
    EXPECT_LE(weight, static_cast<double>(length));
  }
}

TEST(DeltaHistory, ForgetsTheOldestWhenItsMemoryIsFull) {
  // Memory for about four blocks of 1024 steps.
  DeltaHistory h(4 * 1024 * channels * 2 * 11 / 10);
  h.reset(channels, 1000000);
  fill(h, 0, 20000);
  EXPECT_EQ(h.end(), 20000U);
  EXPECT_LE(h.end() - h.begin(), h.capacity());
  EXPECT_GE(h.end() - h.begin(), 3000U);
  EXPECT_NEAR(h.log2_at(19999, 1), std::log2(delta_of(19999, 1)), 5e-4);
  std::vector<float> mean;
  EXPECT_EQ(h.mean(0, 100, mean), 0.0);
}

TEST(DeltaHistory, LeavesGapsUnknown) {
  DeltaHistory h(std::size_t{8} << 20U);
  h.reset(channels, 20000);
  fill(h, 0, 100);
  fill(h, 150, 400);
  EXPECT_TRUE(std::isnan(h.log2_at(120, 0)));
  EXPECT_FALSE(std::isnan(h.log2_at(150, 0)));
  std::vector<float> mean;
  EXPECT_EQ(h.mean(101, 149, mean), 0.0);
}

TEST(DeltaHistory, GoesOnFromWhereItWasCut) {
  DeltaHistory h(std::size_t{8} << 20U);
  h.reset(channels, 20000);
  fill(h, 0, 3000);
  h.truncate(1500);
  fill(h, 1500, 2600);
  EXPECT_EQ(h.end(), 2600U);
  std::vector<float> mean;
  h.mean(1472, 1536, mean);
  double expected = 0;
  for (std::uint64_t s = 1472; s < 1536; ++s) expected += std::log2(delta_of(s, 2));
  EXPECT_NEAR(mean[2], expected / 64, 1e-3);
}

}  // namespace
}  // namespace mambo::gui
