#include "app/gui/keys.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace mambo::gui {
namespace {

KeyPress press(int code, int modifiers = 0, bool repeats = false) {
  return {code, modifiers, repeats};
}

TEST(Keys, MeanWhatTheTableSays) {
  EXPECT_EQ(key_of(press(GLFW_KEY_SPACE)), Key::play);
  EXPECT_EQ(key_of(press(GLFW_KEY_R)), Key::again);
  EXPECT_EQ(key_of(press(GLFW_KEY_R, GLFW_MOD_CONTROL)), Key::record);
  EXPECT_EQ(key_of(press(GLFW_KEY_Z, GLFW_MOD_CONTROL)), Key::undo);
  EXPECT_EQ(key_of(press(GLFW_KEY_Z, GLFW_MOD_CONTROL | GLFW_MOD_SHIFT)), Key::redo);
  EXPECT_EQ(key_of(press(GLFW_KEY_Z)), Key::freeze);
  EXPECT_EQ(key_of(press(GLFW_KEY_Z, 0, true)), Key::none) << "held, it stays frozen";
  EXPECT_EQ(key_of(press(GLFW_KEY_G)), Key::none);
  EXPECT_EQ(key_of(press(GLFW_KEY_R, GLFW_MOD_ALT)), Key::none) << "the desktop's";
  EXPECT_EQ(key_of(press(GLFW_KEY_TAB, GLFW_MOD_SHIFT)), Key::previous);
}

TEST(Keys, CapsLockAndNumLockDoNotMatter) {
  EXPECT_EQ(key_of(press(GLFW_KEY_R, GLFW_MOD_CAPS_LOCK | GLFW_MOD_NUM_LOCK)), Key::again);
}

TEST(Keys, WhatStartsOrStopsSoundDoesNotRepeatWhileHeld) {
  EXPECT_EQ(key_of(press(GLFW_KEY_SPACE, 0, true)), Key::none);
  EXPECT_EQ(key_of(press(GLFW_KEY_R, GLFW_MOD_CONTROL, true)), Key::none);
  EXPECT_EQ(key_of(press(GLFW_KEY_PAGE_UP, 0, true)), Key::louder);
}

TEST(Keys, APlusCountsWhereverTheKeyboardHasIt) {
  EXPECT_EQ(key_of(press(GLFW_KEY_EQUAL, GLFW_MOD_CONTROL)), Key::bigger);
  EXPECT_EQ(key_of(press(GLFW_KEY_EQUAL, GLFW_MOD_CONTROL | GLFW_MOD_SHIFT)), Key::bigger);
  EXPECT_EQ(key_of(press('+', GLFW_MOD_CONTROL)), Key::bigger);
  EXPECT_EQ(key_of(press('+')), Key::none);
}

TEST(Keys, EachHasOneLineOfHelpAndWords) {
  std::set<Key> told;
  for (const KeyHelp& line : key_help()) {
    EXPECT_FALSE(key_words(line).empty()) << line.does;
    for (const Key key : line.keys) told.insert(key);
  }
  for (int i = 0; i < static_cast<int>(Key::none); ++i) {
    EXPECT_TRUE(told.contains(static_cast<Key>(i))) << i << " is in no line of help";
    EXPECT_FALSE(key_words(static_cast<Key>(i)).empty()) << i << " is bound to nothing";
  }
  EXPECT_EQ(key_words(Key::redo), "Ctrl+Shift+Z or Ctrl+Y");
  EXPECT_EQ(key_words(Key::full_screen), "F11");
}

TEST(Keys, TheDocumentsHaveTheSameTable) {
  std::stringstream page;
  page << std::ifstream(MAMBO_ASSETS "/../docs/window.md").rdbuf();
  EXPECT_NE(page.str().find(key_table()), std::string::npos)
      << "docs/window.md should hold these rows:\n"
      << key_table();
}

TEST(Keys, APressIsForOneFrameAndForWhoeverAsksFirst) {
  Keys keys;
  EXPECT_FALSE(keys.take(Key::none));
  keys.press(press(GLFW_KEY_PAGE_UP));
  keys.press(press(GLFW_KEY_PAGE_UP, 0, true));
  EXPECT_FALSE(keys.take(Key::quieter));
  EXPECT_EQ(keys.take_all(Key::louder), 2);
  EXPECT_EQ(keys.take_all(Key::louder), 0);
  keys.press(press(GLFW_KEY_SPACE));
  keys.end_frame();
  EXPECT_EQ(keys.first(), Key::none);
}

using Events = std::vector<KeyEvent>;

// By number of key, or of character.
std::string words(const Events& events) {
  std::string text;
  for (const KeyEvent& e : events) {
    if (e.character != 0) {
      text += static_cast<char>(e.character);
    } else {
      text += e.action == GLFW_RELEASE ? '-' : '+';
      text += std::to_string(e.key) + " ";
    }
  }
  return text;
}

// Dear ImGui would see nothing of a press and its release within one frame.
TEST(KeyTrickle, APressAndItsReleaseAreInTwoFrames) {
  KeyTrickle trickle;
  trickle.push({GLFW_KEY_A, 0, GLFW_PRESS, 0, 0});
  trickle.push({0, 0, 0, 0, 'a'});
  trickle.push({GLFW_KEY_A, 0, GLFW_RELEASE, 0, 0});
  trickle.push({GLFW_KEY_B, 0, GLFW_PRESS, 0, 0});
  trickle.push({0, 0, 0, 0, 'b'});
  EXPECT_EQ(words(trickle.next_frame(false)), "+65 a");
  EXPECT_FALSE(trickle.empty());
  EXPECT_EQ(words(trickle.next_frame(false)), "-65 +66 b");
  EXPECT_TRUE(trickle.empty());
}

TEST(KeyTrickle, AKeyThatComesBackWasSeenToGo) {
  KeyTrickle trickle;
  for (int i = 0; i < 2; ++i) {
    trickle.push({GLFW_KEY_BACKSPACE, 0, GLFW_PRESS, 0, 0});
    trickle.push({GLFW_KEY_BACKSPACE, 0, GLFW_RELEASE, 0, 0});
  }
  EXPECT_EQ(words(trickle.next_frame(false)), "+259 ");
  EXPECT_EQ(words(trickle.next_frame(false)), "-259 ");
  EXPECT_EQ(words(trickle.next_frame(false)), "+259 ");
  EXPECT_EQ(words(trickle.next_frame(false)), "-259 ");
}

TEST(KeyTrickle, AFrameGetsOnePressWithItsModifiers) {
  KeyTrickle trickle;
  trickle.push({GLFW_KEY_LEFT_CONTROL, 0, GLFW_PRESS, 0, 0});
  trickle.push({GLFW_KEY_Z, 0, GLFW_PRESS, GLFW_MOD_CONTROL, 0});
  trickle.push({GLFW_KEY_Z, 0, GLFW_REPEAT, GLFW_MOD_CONTROL, 0});
  trickle.push({GLFW_KEY_LEFT_CONTROL, 0, GLFW_RELEASE, 0, 0});
  trickle.push({GLFW_KEY_Y, 0, GLFW_PRESS, 0, 0});
  EXPECT_EQ(words(trickle.next_frame(false)), "+341 +90 +90 -341 ");
  EXPECT_EQ(words(trickle.next_frame(false)), "+89 ");
}

// Enter on a control brings up a field; what is typed at once is meant for it.
TEST(KeyTrickle, WhatIsHeldBackComesLaterAndInOrder) {
  KeyTrickle trickle;
  Keys keys;
  trickle.push({GLFW_KEY_ENTER, 0, GLFW_PRESS, 0, 0});
  trickle.push({GLFW_KEY_ENTER, 0, GLFW_RELEASE, 0, 0});
  trickle.push({GLFW_KEY_4, 0, GLFW_PRESS, 0, 0});
  trickle.push({0, 0, 0, 0, '4'});
  EXPECT_EQ(words(trickle.next_frame(keys.holds())), "+257 ");
  keys.hold();
  keys.end_frame();
  EXPECT_EQ(words(trickle.next_frame(keys.holds())), "-257 ");
  keys.end_frame();
  EXPECT_EQ(words(trickle.next_frame(keys.holds())), "");
  keys.end_frame();
  EXPECT_EQ(words(trickle.next_frame(keys.holds())), "+52 4");
}

}  // namespace
}  // namespace mambo::gui
