// The window played by keys alone, as a person would; judged by what it remembers at its end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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
                                                             // From the end: maps, input, device,
                                                             // match, underruns, latency; a
                                                             // step; undone.
                  "key --delay 6 shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab "
                  "shift+Tab shift+Tab shift+Tab Right "
                  "key --delay 6 ctrl+z "
                  // Before them level, selectivity (four buttons, five sliders, three choices,
                  // the fader), guard and New. The random seed by typing, undone and again.
                  "key --delay 6 shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab "
                  "shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab "
                  "shift+Tab shift+Tab shift+Tab shift+Tab shift+Tab Return "
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

// A strip is dragged, alone and with Ctrl, undone, and memory is held and emptied by keys; judged
// by the performance that was recorded meanwhile.
TEST_F(WindowKeysTest, SelectivityIsPlayedByStripsAndKeys_timed) {
  fs::create_directories(folder_ / "Music");  // where recordings go
  LiveWindow window(1280, 800, folder_, small_);
  if (!window.is_open()) GTEST_SKIP() << window.why();
  ASSERT_TRUE(window.does(
      "sleep 2 key ctrl+r sleep 0.5 "  // frames of a display without a GPU take their time
      "mousemove 100 500 mousedown 1 sleep 0.4 mousemove 105 500 sleep 0.1 mousemove 115 500 "
      "sleep 0.4 mousemove 130 500 sleep 0.4 mouseup 1 sleep 0.4 "
      "keydown ctrl mousemove 125 500 mousedown 1 sleep 0.4 mousemove 130 500 sleep 0.1 "
      "mousemove 160 500 sleep 0.4 mouseup 1 keyup ctrl sleep 0.4 "
      "mousemove 640 790 key ctrl+z sleep 0.4 "
      "keydown z sleep 0.4 keyup z sleep 0.2 key x sleep 0.3 key ctrl+r sleep 0.7"));
  after(window, "sleep 0.1");
  fs::path file;
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".performance.jsonl") != std::string::npos) file = entry.path();
  }
  ASSERT_FALSE(file.empty()) << window.said();
  std::ifstream lines(file);
  std::map<std::string, std::vector<nlohmann::json>> events;  // by control
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (event.contains("control")) events[event.at("control").get<std::string>()].push_back(event);
  }
  const auto& scale = events["delta_scale"];
  ASSERT_GE(scale.size(), 4U);
  EXPECT_NE(scale.front().value("target", ""), "all");  // the one layer
  EXPECT_GT(scale.front().at("ramp").get<int>(), 0);
  EXPECT_GT(scale[1].at("value").get<double>(), scale.front().at("value").get<double>());
  // Frozen all at once, and as before when the key was let go.
  const auto frozen = std::find_if(scale.begin(), scale.end(), [](const nlohmann::json& e) {
    return e.at("value").get<double>() == 0;
  });
  ASSERT_NE(frozen, scale.end());
  ASSERT_NE(frozen + 1, scale.end());
  EXPECT_GT((frozen + 1)->at("value").get<double>(), 0);
  const double held_s = ((frozen + 1)->at("at").get<double>() - frozen->at("at").get<double>());
  EXPECT_GT(held_s, 0.2 * 16000);
  // With Ctrl all layers are held; undone.
  const auto& hold = events["hold_B"];
  ASSERT_GE(hold.size(), 2U);
  EXPECT_EQ(hold.front().value("target", "all"), "all");
  EXPECT_GT(hold.front().at("value").get<double>(), 0);
  EXPECT_EQ(hold.back().at("value").get<double>(), 0);
  ASSERT_EQ(events["forget"].size(), 1U);
  EXPECT_EQ(events["forget"].front().at("value").get<double>(), 0);
}

// The bars are measured beside what plays, saved, and played by a click, until another click and an
// undo of that.
TEST_F(WindowKeysTest, WhatSelectivityIsWorthIsMeasuredAndPlayed_timed) {
  fs::create_directories(folder_ / "Music");
  LiveWindow window(1280, 800, folder_, small_);
  if (!window.is_open()) GTEST_SKIP() << window.why();
  const auto click = [&](int x, int y) {
    const std::string at = std::to_string(x) + " " + std::to_string(y);
    return window.does("mousemove " + at + " sleep 0.4 mousedown 1 sleep 0.4 mouseup 1 sleep 0.4");
  };
  const auto found = [&](const std::string& ending) {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.path().string().ends_with(ending)) return entry.path();
    }
    return fs::path();
  };
  ASSERT_TRUE(window.does("sleep 2 key b sleep 0.5"));
  for (int i = 0; i < 40 && found(".ablation.json").empty(); ++i) {
    if (i % 8 == 0) {
      ASSERT_TRUE(click(930, 568));  // Measure
    }
    ASSERT_TRUE(click(856, 568));  // Save, once there is something to save
  }
  const fs::path table = found(".ablation.json");
  ASSERT_FALSE(table.empty()) << window.said();
  std::ifstream saved(table);
  const auto json = nlohmann::json::parse(saved, nullptr, false);
  EXPECT_EQ(json.at("rows").size(), 8U);  // one tier
  EXPECT_NE(json.at("clips").at(0).get<std::string>().find("digit-seven.wav"), std::string::npos);

  ASSERT_TRUE(window.does("mousemove 640 790 key ctrl+r sleep 1"));
  ASSERT_TRUE(click(960, 680));  // the last bar: all three
  ASSERT_TRUE(click(960, 680));
  const auto settings = after(window, "key ctrl+z sleep 0.8 key ctrl+r sleep 1");
  EXPECT_TRUE(settings.at("ablation").get<bool>());
  std::ifstream lines(found(".performance.jsonl"));
  std::map<std::string, std::vector<double>> values;  // by control
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (!event.contains("control") || !event.contains("value")) continue;
    if (event.value("target", "all") == "all" && event.at("value").is_number())
      values[event.at("control").get<std::string>()].push_back(event.at("value").get<double>());
  }
  for (const char* hold : {"hold_delta", "hold_B", "hold_C"})
    EXPECT_EQ(values[hold], (std::vector<double>{1, 0, 1})) << hold;
}

}  // namespace
}  // namespace mambo::gui
