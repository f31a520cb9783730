#include "app/live/latency_keeper.h"

#include <gtest/gtest.h>

#include "app/control/control.h"

namespace mambo {
namespace {

class LatencyKeeperTest : public ::testing::Test {
 protected:
  LatencyKeeperTest() {
    status_.playing = true;
    status_.activity = Activity::ready;
    status_.real_time_factor = 3;
  }
  // A second with so many underruns.
  void second(int underruns) {
    now_s_ += 1;
    status_.underruns += static_cast<std::uint64_t>(underruns);
    keeper_.look(now_s_, status_, latency_ms_);
  }
  LatencyKeeper keeper_;
  SessionStatus status_;
  double now_s_ = 100, latency_ms_ = 60;
};

TEST_F(LatencyKeeperTest, SeveralUnderrunsAreAReasonAndOneIsNot) {
  second(0);
  second(1);
  EXPECT_FALSE(keeper_.advice());
  for (int i = 0; i < 11; ++i) second(0);
  second(1);
  EXPECT_FALSE(keeper_.advice()) << "the one before is long ago";
  second(1);
  EXPECT_EQ(keeper_.advice(), 150);
  EXPECT_EQ(keeper_.underruns(), 2);
  for (int i = 0; i < 12; ++i) second(0);
  EXPECT_FALSE(keeper_.advice()) << "an offer does not stay for ever";
}

TEST_F(LatencyKeeperTest, RaisesInStepsUpToTheControlsEnd) {
  const double most = control_spec(ControlId::latency).max;
  second(0);
  double before = latency_ms_;
  for (int step = 0; latency_ms_ < most; ++step) {
    ASSERT_LT(step, 12);
    second(3);
    ASSERT_TRUE(keeper_.advice()) << latency_ms_;
    latency_ms_ = *keeper_.advice();
    EXPECT_GE(latency_ms_, std::min(2 * before, most));
    EXPECT_LE(latency_ms_, most);
    before = latency_ms_;
    second(9);  // while the device is opened anew
    EXPECT_FALSE(keeper_.advice());
    for (int i = 0; i < 3; ++i) second(0);
  }
  second(50);
  EXPECT_FALSE(keeper_.advice()) << "there is no more";
}

TEST_F(LatencyKeeperTest, WhatMoreLatencyWouldNotMendDoesNotCount) {
  second(0);
  status_.real_time_factor = 0.8;  // too slow for any
  second(5);
  status_.real_time_factor = 3;
  status_.activity = Activity::prefilling;
  second(5);
  status_.activity = Activity::ready;
  status_.playing = false;
  second(5);
  status_.playing = true;
  second(0);
  EXPECT_FALSE(keeper_.advice());
  second(2);
  EXPECT_TRUE(keeper_.advice());
}

}  // namespace
}  // namespace mambo
