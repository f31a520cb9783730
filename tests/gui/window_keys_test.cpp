// The window played by keys alone, as a person would; judged by what it remembers at its end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "live_window.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

class WindowKeysTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // What the settings say after `keys` and Ctrl+Q.
  nlohmann::json after(LiveWindow& window, const std::string& keys) {
    EXPECT_TRUE(window.does(keys));
    EXPECT_TRUE(window.does("key ctrl+q"));
    EXPECT_EQ(window.wait(), 0) << window.said();
    std::ifstream file(window.settings());
    return nlohmann::json::parse(file, nullptr, false);
  }

  fs::path folder_ = fs::temp_directory_path() / ("mambo-keys-" + std::to_string(getpid()));
  // Opened and absorbed in milliseconds, so that no button of loading stands among the controls.
  const std::string small_ =
      "--model " MAMBO_TEST_DATA "/rand-flat.safetensors --seed-clip " MAMBO_ASSETS
      "/seeds/digit-seven.wav";
};

// xdotool lets a key go at once and presses the next after 6 ms: many fall into one frame.
TEST_F(WindowKeysTest, QuickKeysAreNotLostAndChangesAreUndone_timed) {
  LiveWindow window(1280, 800, folder_, small_);
  if (!window.is_open()) GTEST_SKIP() << window.why();
  ASSERT_TRUE(window.does("sleep 2"));  // the model is there; a person would look first
  ASSERT_TRUE(
      window.does("key --delay 6 Next Next Next Next Next "  // level: -5 dB
                                                             // From the end: maps, device, match,
                                                             // underruns, latency; a step; undone.
                  "key --delay 6 shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab "
                  "shift+Tab shift+Tab Right "
                  "key --delay 6 ctrl+z "
                  // Before them level, guard and New. The random seed by typing, undone and again.
                  "key --delay 6 shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab Return "
                  "sleep 0.5"));
  ASSERT_TRUE(window.does("type --delay 6 4711"));
  const auto settings = after(window, "key --delay 6 Return ctrl+z ctrl+shift+z");
  ASSERT_TRUE(settings.is_object()) << window.said();
  const auto& controls = settings.at("controls");
  EXPECT_EQ(controls.at("level"), -5.0);
  EXPECT_EQ(controls.at("latency"), 60.0);
  EXPECT_EQ(controls.at("rng_seed"), 4711U);
}

TEST_F(WindowKeysTest, HelpAndMenusOpenAndCloseByKeysAndFullScreenIsNotRemembered_timed) {
  LiveWindow window(1600, 1000, folder_, small_ + " --width 1280 --height 800");
  if (!window.is_open()) GTEST_SKIP() << window.why();
  const auto settings = after(window,
                              // The help takes all other keys; Escape closes it.
                              "sleep 1 key F1 sleep 0.3 key --delay 6 Next key Escape sleep 0.3 "
                              "key ctrl+o sleep 0.5 key Escape sleep 0.5 "  // a menu
                              "key --delay 6 Next key F11 sleep 0.5");
  ASSERT_TRUE(settings.is_object()) << window.said();
  EXPECT_EQ(settings.at("controls").at("level"), -1.0);
  EXPECT_EQ(settings.at("width"), 1280);
  EXPECT_EQ(settings.at("height"), 800);
}

// The menu is searched, the one that fits is heard and then opened; a laboratory's model is found
// by typing its name.
TEST_F(WindowKeysTest, AClipIsSearchedHeardAndOpened_timed) {
  LiveWindow window(1280, 800, folder_, small_);
  if (!window.is_open()) GTEST_SKIP() << window.why();
  ASSERT_TRUE(window.does("sleep 2 key ctrl+o"));
  ASSERT_TRUE(window.does("type --delay 6 'seven'"));
  ASSERT_TRUE(window.does("key --delay 6 BackSpace BackSpace BackSpace BackSpace BackSpace"));
  ASSERT_TRUE(window.does("type --delay 6 'three'"));
  const auto settings = after(window, "key --delay 6 ctrl+space Return");
  ASSERT_TRUE(settings.is_object()) << window.said();
  EXPECT_EQ(fs::path(settings.at("clip").get<std::string>()).filename(), "digit-three.wav");
}

}  // namespace
}  // namespace mambo::gui
