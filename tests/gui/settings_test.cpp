#include "app/gui/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

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
  s.latency_s = 0.12;
  s.level_db = -7.5F;
  s.sampling = {0.8F, 40, 0.9F};
  s.sampling_of = "/models/a b.safetensors";
  s.rng_seed = 0xFFFFFFFFFFFFFFFFULL;
  s.layer = 3;
  s.layer_colour = DeltaColour::change;
  s.channel_colour = DeltaColour::horizon;
  s.channel_order = ChannelOrder::index;
  s.colour_map = 1;
  s.log_frequency = false;
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
  for (const char* text : {"", "{", "[1, 2]", "\xFF\xFE garbage", R"({"level_db": "loud"})",
                           R"({"rng_seed": [1]})", R"({"recent_clips": 3})"}) {
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
  EXPECT_EQ(s.level_db, highest_level_db);
  EXPECT_EQ(s.sampling, (SamplingParams{0.0F, 256, 1.0F}));
  EXPECT_EQ(s.zoom, 3.0F);
  EXPECT_EQ(s.width, Settings::least_width);
  EXPECT_EQ(s.height, Settings::least_height);
  EXPECT_EQ(s.colour_map, 2);
  EXPECT_EQ(s.layer_colour, DeltaColour::delta);
  EXPECT_EQ(s.latency_s, 0.01);
  EXPECT_EQ(s.span_s, 60.0);
}

// The slider ends at 2, but a file or the command line may say as much as 10.
TEST_F(SettingsTest, KeepATemperatureThatAModelMayHave) {
  write(R"({"temperature": 3.5})");
  EXPECT_EQ(load_settings(file_, complaint_).sampling.temperature, 3.5F);
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
