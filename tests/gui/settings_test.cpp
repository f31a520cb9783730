#include "app/gui/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include "kernels/error.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  fs::path folder_ = fs::temp_directory_path() / ("mambo-settings-" + std::to_string(getpid()));
  fs::path file_ = folder_ / "window.json";
  std::string complaint_;
};

TEST_F(SettingsTest, ComeBackAsTheyWere) {
  Settings s;
  s.model = "/models/a b.safetensors";
  s.clip = "/clips/\xC3\xA9tude.wav";
  s.recent_models = {"/models/a b.safetensors", "/models/c"};
  s.device = "ALSA: pulse";
  s.controls.say(ControlId::latency, 120);
  s.controls.say(ControlId::level, -7.5);
  s.controls.say({0.8F, 40, 0.9F});
  s.controls.say_whole(ControlId::rng_seed, 0xFFFFFFFFFFFFFFFFULL);
  s.layer = 3;
  s.layer_colour = DeltaColour::change;
  s.channel_colour = DeltaColour::horizon;
  s.channel_order = ChannelOrder::index;
  s.colour_map = 1;
  s.log_frequency = false;
  s.ablation = true;
  s.span_s = 0.5;
  s.zoom = 1.5F;
  s.width = 1920;
  s.height = 1080;
  save_settings(file_, s);
  EXPECT_EQ(load_settings(file_, complaint_), s);
  EXPECT_EQ(complaint_, "");
  EXPECT_FALSE(fs::exists(folder_ / "window.json.new"));
}

TEST_F(SettingsTest, AreDefaultsWhenThereIsNoFile) {
  EXPECT_EQ(load_settings(file_, complaint_), Settings{});
  EXPECT_EQ(complaint_, "");
}

TEST_F(SettingsTest, AreDefaultsWithAComplaintWhenTheFileIsBroken) {
  for (const char* text :
       {"", "{", "[1, 2]", "\xFF\xFE garbage", R"({"level_db": "loud"})", R"({"rng_seed": [1]})",
        R"({"recent_clips": 3})", R"({"controls": 3})", R"({"controls": {"level": "loud"}})"}) {
    write(text);
    complaint_.clear();
    EXPECT_EQ(load_settings(file_, complaint_), Settings{}) << text;
    EXPECT_NE(complaint_.find(file_.string()), std::string::npos) << text;
  }
}

TEST_F(SettingsTest, AreBroughtIntoRange) {
  write(R"({"level_db": 900, "temperature": -3, "top_k": 5000, "top_p": 2, "zoom": 1e9,
            "width": -5, "height": 7, "colour_map": 77, "layer_colour": 9, "latency_s": 0, "span_s": 1e300})");
  const Settings s = load_settings(file_, complaint_);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(s.controls[ControlId::level], (ControlValue{12, 0}));
  EXPECT_EQ(s.controls[ControlId::temperature], (ControlValue{0, 0}));
  EXPECT_EQ(s.controls[ControlId::top_k], (ControlValue{256, 0}));
  EXPECT_EQ(s.controls[ControlId::top_p], (ControlValue{1, 0}));
  EXPECT_EQ(s.zoom, 3.0F);
  EXPECT_EQ(s.width, Settings::least_width);
  EXPECT_EQ(s.height, Settings::least_height);
  EXPECT_EQ(s.colour_map, 2);
  EXPECT_EQ(s.layer_colour, DeltaColour::delta);
  EXPECT_EQ(s.controls[ControlId::latency], (ControlValue{10, 0}));
  EXPECT_EQ(s.span_s, 60.0);
}

TEST_F(SettingsTest, ControlsAreBroughtIntoTheTablesRanges) {
  write(R"({"controls": {"level": -900, "top_k": 7.6, "playing": 1, "unheard_of": 3}})");
  const Settings s = load_settings(file_, complaint_);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(s.controls[ControlId::level], (ControlValue{-60, 0}));
  EXPECT_EQ(s.controls[ControlId::top_k], (ControlValue{8, 0}));
  EXPECT_FALSE(s.controls[ControlId::playing].has_value()) << "opens as it is told to";
}

TEST_F(SettingsTest, NumbersBeyondEveryKindAreBroughtIntoRangeToo) {
  write(R"({"width": 1e23, "height": -9e99, "layer": 1e300, "colour_map": -1e19, "zoom": 1e300,
            "layer_colour": 1e23, "channel_order": 256, "latency_s": 1e300,
            "controls": {"top_k": 1e23, "level": -1e300}})");
  const Settings s = load_settings(file_, complaint_);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(s.width, 16384);
  EXPECT_EQ(s.height, Settings::least_height);
  EXPECT_EQ(s.layer, std::numeric_limits<int>::max());
  EXPECT_EQ(s.colour_map, 0);
  EXPECT_EQ(s.zoom, 3.0F);
  EXPECT_EQ(s.layer_colour, DeltaColour::delta);
  EXPECT_EQ(s.channel_order, ChannelOrder::horizon);
  EXPECT_EQ(s.controls[ControlId::top_k], (ControlValue{256, 0}));
  EXPECT_EQ(s.controls[ControlId::latency], (ControlValue{2000, 0}));
}

TEST_F(SettingsTest, ComplainInOneSentenceOfTheirOwn) {
  for (const char* text : {"{", "[1, 2]", "garbage", R"({"zoom": "big"})", R"({"a":1,"a":1})",
                           R"({"rng_seed": -1})", R"({"model": "a\u0000b"})"}) {
    write(text);
    complaint_.clear();
    EXPECT_EQ(load_settings(file_, complaint_), Settings{}) << text;
    for (const char* leak : {"json.exception", "type_error", "parse error", "syntax"}) {
      EXPECT_EQ(complaint_.find(leak), std::string::npos) << complaint_;
    }
  }
}

// Written before controls stood in an object of their own.
TEST_F(SettingsTest, OfAnOlderFileAreUnderstood) {
  write(R"({"model": "/m/a.safetensors", "sampling_of": "/m/a.safetensors", "temperature": 3.5,
            "top_k": 40, "top_p": 0.5, "level_db": -3, "latency_s": 0.25,
            "rng_seed": 18446744073709551615})");
  const Settings s = load_settings(file_, complaint_);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(s.controls[ControlId::temperature], (ControlValue{3.5, 0}));
  EXPECT_EQ(s.controls[ControlId::top_k], (ControlValue{40, 0}));
  EXPECT_EQ(s.controls[ControlId::top_p], (ControlValue{0.5, 0}));
  EXPECT_EQ(s.controls[ControlId::level], (ControlValue{-3, 0}));
  EXPECT_EQ(s.controls[ControlId::latency], (ControlValue{250, 0}));
  EXPECT_EQ(s.controls[ControlId::rng_seed], (ControlValue{0, 18446744073709551615ULL}));
  write(R"({"model": "/m/a.safetensors", "sampling_of": "/m/b", "temperature": 3.5, "top_k": 40,
            "level_db": -3})");
  const Settings other = load_settings(file_, complaint_);
  EXPECT_FALSE(other.controls[ControlId::temperature].has_value())
      << "it was set for another model";
  EXPECT_FALSE(other.controls[ControlId::top_k].has_value());
  EXPECT_TRUE(other.controls[ControlId::level].has_value());
}

TEST_F(SettingsTest, OfTwoWindowsAreTheLastChangesOfBoth) {
  Settings a;
  a.zoom = 1.25F;
  a.controls.say(ControlId::level, -3);
  save_settings(file_, a);
  SettingsSaver first(file_, a);
  SettingsSaver second(file_, a);
  Settings b = a;
  a.zoom = 2;
  a.controls.say(ControlId::temperature, 0.5);
  first.save(a);
  b.device = "ALSA: pulse";
  b.controls.say(ControlId::level, -9);
  second.save(b);
  Settings both = a;
  both.device = b.device;
  both.controls.say(ControlId::level, -9);
  EXPECT_EQ(load_settings(file_, complaint_), both);
  b.zoom = 1;  // the last word
  second.save(b);
  EXPECT_EQ(load_settings(file_, complaint_).zoom, 1);
}

TEST_F(SettingsTest, AreNeverSeenHalfWritten_threads) {
  save_settings(file_, {});
  std::atomic<int> done{0};
  std::vector<std::thread> windows;
  for (int w = 0; w < 2; ++w) {
    windows.emplace_back([&, w] {
      for (int i = 0; i < 40; ++i) {
        Settings s;
        s.layer = 2 * i + w;
        save_settings(file_, s);
      }
      ++done;
    });
  }
  while (done < 2) {
    load_settings(file_, complaint_);
    ASSERT_EQ(complaint_, "");
  }
  for (std::thread& t : windows) t.join();
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_FALSE(entry.path().string().ends_with(".part")) << entry.path();
  }
}

TEST_F(SettingsTest, AreSavedASecondAfterTheLastChangeOrTenAfterTheFirst) {
  Settings s;
  SettingsSaver saver(file_, s);
  saver.look(s, 1);
  EXPECT_FALSE(fs::exists(file_)) << "nothing changed";
  s.zoom = 1.5F;
  saver.look(s, 2);
  saver.look(s, 2.5);
  EXPECT_FALSE(fs::exists(file_));
  saver.look(s, 3.1);
  EXPECT_EQ(load_settings(file_, complaint_).zoom, 1.5F);
  for (int i = 1; i <= 22; ++i) {  // moved all the time
    s.layer = i;
    saver.look(s, 10 + 0.5 * i);
  }
  EXPECT_GT(load_settings(file_, complaint_).layer, 19);
}

TEST_F(SettingsTest, OfAFileThatCannotBeReadAreKeptAside) {
  write("{ broken, but mine");
  Settings s;
  s.zoom = 2;
  save_settings(file_, s, &s);
  EXPECT_EQ(load_settings(file_, complaint_), s);
  std::ifstream aside(file_.string() + ".unreadable");
  std::string text;
  std::getline(aside, text);
  EXPECT_EQ(text, "{ broken, but mine");
}

TEST_F(SettingsTest, SayWhereTheyCannotBeWritten) {
  const fs::path nowhere = file_ / "below" / "a-file";
  write("{}");
  try {
    save_settings(nowhere, {});
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(nowhere.string()), std::string::npos);
  }
}

TEST_F(SettingsTest, RememberTheLatestFirstAndEachOnce) {
  std::vector<std::string> recent;
  for (const char* p : {"a", "b", "c", "a", "d", "e", "f", "g", "h", "i"}) remember(recent, p);
  EXPECT_EQ(recent.size(), 8U);
  EXPECT_EQ(recent.front(), "i");
  EXPECT_EQ(std::count(recent.begin(), recent.end(), "a"), 1);
}

}  // namespace
}  // namespace mambo::gui
