#include "app/gui/focus.h"

#include <gtest/gtest.h>

namespace mambo::gui {
namespace {

// Two buttons side by side, below them a column of two sliders.
void draw(Focus& focus) {
  focus.begin_frame();
  focus.item(1, {0, 0, 40, 20});
  focus.item(2, {50, 0, 90, 20});
  focus.item(3, {200, 30, 300, 50}, true);
  focus.item(4, {200, 60, 300, 80}, true);
}

TEST(Focus, GoesRoundInTheOrderOfDrawing) {
  Focus focus;
  draw(focus);
  EXPECT_FALSE(focus.any());
  draw(focus);
  focus.next(1);
  EXPECT_TRUE(focus.is_at(1));
  draw(focus);
  focus.next(1);
  EXPECT_TRUE(focus.is_at(2));
  draw(focus);
  focus.next(-2);
  EXPECT_TRUE(focus.is_at(4));
  focus.leave();
  EXPECT_FALSE(focus.any());
  draw(focus);
  focus.next(-1);
  EXPECT_TRUE(focus.is_at(4)) << "from nowhere backwards: the last";
}

TEST(Focus, ArrowsGoToTheNearestAndStopAtTheEdge) {
  Focus focus;
  draw(focus);
  draw(focus);
  focus.next(1);
  focus.move(Focus::Way::right);
  EXPECT_TRUE(focus.is_at(2));
  draw(focus);
  focus.move(Focus::Way::down);
  EXPECT_TRUE(focus.is_at(3));
  draw(focus);
  focus.move(Focus::Way::down);
  EXPECT_TRUE(focus.is_at(4));
  EXPECT_TRUE(focus.steps());
  draw(focus);
  focus.move(Focus::Way::down);
  EXPECT_TRUE(focus.is_at(4));
}

TEST(Focus, KeysAreForTheOneInFocusAndForOneFrame) {
  Focus focus;
  draw(focus);
  draw(focus);
  focus.next(3);
  focus.press();
  focus.step(-2);
  EXPECT_TRUE(focus.pressed(3));
  EXPECT_FALSE(focus.pressed(4));
  EXPECT_EQ(focus.stepped(3), -2);
  draw(focus);
  EXPECT_FALSE(focus.pressed(3));
  EXPECT_EQ(focus.stepped(3), 0);
}

TEST(Focus, IsLeftWhenItsControlIsNotDrawnAnyMore) {
  Focus focus;
  draw(focus);
  draw(focus);
  focus.next(2);
  focus.begin_frame();
  focus.item(1, {});
  focus.begin_frame();
  EXPECT_FALSE(focus.any());
}

// Wherever the control is and however large the note: it never covers the control.
TEST(PlaceBeside, NeverCoversTheControl) {
  const Rect display{0, 0, 1280, 800};
  for (const bool below_first : {false, true}) {
    for (float x = 0; x <= 1180; x += 59) {
      for (float y = 0; y <= 780; y += 39) {
        const Rect item{x, y, x + 100, y + 20};
        for (const float width : {40.0F, 320.0F, 560.0F}) {
          const Rect note = place_beside(item, width, 90, display, 6, below_first);
          EXPECT_FALSE(note.overlaps(item)) << x << ' ' << y << ' ' << width;
          EXPECT_TRUE(note.left >= 0 && note.right <= 1280 && note.top >= 0 && note.bottom <= 800)
              << x << ' ' << y << ' ' << width;
        }
      }
    }
  }
}

TEST(PlaceBeside, StandsBesideAColumnAndBelowARow) {
  const Rect display{0, 0, 1280, 800};
  EXPECT_LE(place_beside({1050, 100, 1280, 120}, 300, 60, display, 6, false).right, 1044);
  EXPECT_GE(place_beside({100, 20, 180, 50}, 300, 60, display, 6, true).top, 56);
}

}  // namespace
}  // namespace mambo::gui
