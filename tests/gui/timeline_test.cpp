#include "app/gui/history/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mambo::gui {
namespace {

Timeline timeline() {
  Timeline t;
  t.set_rate(16000);
  t.resize(1000);
  t.set_live(500000);
  t.show(160000);
  return t;
}

TEST(Timeline, MapsPositionsToPixelsAndBack) {
  const TimeView v = timeline().view();
  for (const double px : {0.0, 17.0, 500.0, 999.0}) EXPECT_NEAR(v.px(v.position(px)), px, 1e-6);
  EXPECT_NEAR(v.end() - v.begin(), 160000, 1e-6);
}

TEST(Timeline, SeesWhatIsHeardNearTheRightEdgeWhileItFollows) {
  Timeline t = timeline();
  EXPECT_TRUE(t.following());
  for (const double live : {500000.0, 500777.0, 600000.0}) {
    t.set_live(live);
    EXPECT_NEAR(t.view().px(live), 960, 1.0);
  }
}

TEST(Timeline, KeepsWhatIsUnderThePointerInPlaceWhenZoomed) {
  Timeline t = timeline();
  t.pan(200);
  for (const double factor : {1.5, 3.0, 1 / 4.0}) {
    const TimeView before = t.view();
    t.zoom(factor, 300);
    EXPECT_NEAR(t.view().position(300), before.position(300),
                std::max(t.view().samples_per_px, before.samples_per_px));
  }
}

TEST(Timeline, PansByPixelsAndComesBackToLive) {
  Timeline t = timeline();
  const double before = t.view().position(0);
  t.pan(100);
  EXPECT_FALSE(t.following());
  EXPECT_NEAR(t.view().position(0), before - 16000, 161);
  t.set_live(900000);
  EXPECT_NEAR(t.view().position(0), before - 16000, 161);  // stands still
  t.follow();
  EXPECT_NEAR(t.view().px(900000), 960, 1.0);
}

TEST(Timeline, ZoomsFromAMinuteToSingleSamples) {
  Timeline t = timeline();
  t.zoom(1e-9, 500);
  EXPECT_DOUBLE_EQ(t.span(), 60.0 * 16000);
  t.zoom(1e12, 500);
  EXPECT_DOUBLE_EQ(t.span(), Timeline::min_span);
  EXPECT_LT(t.view().samples_per_px, 0.03);
}

TEST(Timeline, KeepsTheSecondsSeenWhenTheRateChanges) {
  Timeline t = timeline();
  t.set_rate(32000);
  EXPECT_DOUBLE_EQ(t.span(), 320000);
}

TEST(TimeView, ColumnsCoverEverySampleOnceAtAnyZoom) {
  for (const double samples_per_px : {1.0, 1.7, 16.0, 160.3, 960.0}) {
    TimeView v;
    v.samples_per_px = samples_per_px;
    std::uint64_t next = v.samples_of(0).from;
    EXPECT_EQ(next, 0U);
    for (std::int64_t c = 0; c < 2000; ++c) {
      const auto [from, to] = v.samples_of(c);
      ASSERT_EQ(from, next) << samples_per_px << " " << c;
      ASSERT_GT(to, from);
      next = to;
    }
  }
}

TEST(TimeView, ColumnsBeforeTheBeginningAreEmpty) {
  TimeView v;
  v.samples_per_px = 10;
  EXPECT_EQ(v.samples_of(-1).to, 0U);
  EXPECT_EQ(v.samples_of(-5).to, 0U);
}

TEST(Playhead, MovesSmoothlyBetweenNewsAndStopsWithTheSound) {
  Playhead p;
  p.advance(1000, true, 16000, 0.016);
  double target = p.position();
  double last = p.position();
  for (int frame = 0; frame < 300; ++frame) {
    if (frame % 8 == 0) target += 8 * 256;  // the device reports in blocks
    const double now = p.advance(target, true, 16000, 0.016);
    EXPECT_GT(now, last);
    EXPECT_LT(now - last, 2 * 256.0);
    last = now;
  }
  EXPECT_NEAR(last, target, 2048);
  EXPECT_DOUBLE_EQ(p.advance(target, false, 16000, 0.016), target);
}

}  // namespace
}  // namespace mambo::gui
