// Controls on their way through the generator thread, and what their log makes of a take; no thread
// is started here.
#include "app/live/live_controls.h"

#include <gtest/gtest.h>

#include "app/live/performance_log.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

using testing::small_model;

void take_up(LiveControls& controls, std::uint64_t position) {
  while (controls.due(position) != nullptr) controls.took_effect(position);
}

TEST(LiveControls, WhatWasAskedForSinceGoesBeforeTheProgramsOwn) {
  for (const bool taken_up : {false, true}) {  // a first program, or one before it that plays
    SCOPED_TRACE(taken_up);
    LiveControls controls;
    controls.send(ControlId::temperature, 0.7);
    controls.send(ControlId::top_p, 0.7);
    DecidedControls own;
    own.values.say({0.3F, 40, 0.25F});
    own.changes = controls.changes();
    controls.send(ControlId::top_k, 9);
    controls.send(ControlId::top_p, 0.5);
    if (taken_up) take_up(controls, 100);
    controls.begin_program(own, 100);
    const SamplingParams expected = {0.3F, 9, 0.5F};
    EXPECT_EQ(controls.at(0).sampling(), expected);
    EXPECT_EQ(controls.wanted_sampling(), expected);
    EXPECT_EQ(controls.due(0), nullptr);
    DecidedControls next;  // asked for later: all of it holds
    next.values.say({0.2F, 5, 0.125F});
    next.changes = controls.changes();
    controls.begin_program(next, 200);
    EXPECT_EQ(controls.at(0).sampling(), (SamplingParams{0.2F, 5, 0.125F}));
  }
}

TEST(LiveControls, WhatFoundNoRoomCountsAsNotAskedFor) {
  LiveControls controls;
  while (controls.send(ControlId::level, -1)) {
  }
  DecidedControls own;
  own.values.say(ControlId::temperature, 0.3);
  own.changes = controls.changes();
  EXPECT_FALSE(controls.send(ControlId::temperature, 0.9));
  controls.begin_program(own, 0);
  EXPECT_EQ(controls.at(0).sampling().temperature, 0.3F);
}

// A performance file with a target that the control has not could not be read again.
TEST(LiveControls, ATargetIsOfLayersAndTiersAlone) {
  LiveControls controls;
  ControlEvent e;
  e.id = ControlId::temperature;
  e.target = 3;
  ASSERT_TRUE(controls.send(e));
  ASSERT_NE(controls.due(0), nullptr);
  EXPECT_EQ(controls.due(0)->target, kAllTargets);
}

class PerformanceLogTest : public ::testing::Test {
 protected:
  void program(const std::filesystem::path& clip) {
    controls.begin_program({}, 0);
    log.program_changed(model, clip, {"cpu", "half", "CPU"});
  }
  void again() {
    controls.send(ControlId::again, 1);
    take_up(controls, 500);
    controls.begin_run();
  }
  void move(std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) {
      controls.send(ControlId::top_k, static_cast<double>(i % 256));
      take_up(controls, i);
    }
  }
  void record() {
    log.begin_recording();
    controls.recording_began(400);
  }

  LiveControls controls;
  PerformanceLog log{controls};
  std::shared_ptr<const Model> model = Model::load(small_model());
};

TEST_F(PerformanceLogTest, EventsThatWereLostSpoilATakeUntilTheNextBeginning) {
  program({});
  move(1000);
  record();
  EXPECT_NO_THROW(log.performance());
  move(20000);  // more than the ring has room for
  EXPECT_GT(controls.lost_events(), 0U);
  EXPECT_THROW(log.performance(), Error);
  log.end_recording();
  record();
  EXPECT_THROW(log.performance(), Error) << "the values at its start are not known";
  log.end_recording();
  again();
  record();
  EXPECT_EQ(log.performance().programs.size(), 1U);
}

TEST_F(PerformanceLogTest, ATakeThatIsTooLongLosesNoneOfWhatPlays) {
  program({});
  record();
  for (std::size_t n = 0; n <= kMostEvents; n += 8192) {
    move(8192);
    log.collect();
  }
  EXPECT_THROW(log.performance(), Error);
  program(small_model());  // any file will do
  log.end_recording();
  again();
  record();
  const Performance p = log.performance();
  ASSERT_EQ(p.programs.size(), 1U);
  EXPECT_EQ(p.programs.front().clip_path, small_model());
}

}  // namespace
}  // namespace mambo
