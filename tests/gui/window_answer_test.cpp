// The window listens to an input and answers, by its keys, against a private sound server.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "app/control/performance.h"
#include "app/files/audio_file.h"
#include "live_window.h"
#include "tests/realtime/sound_server.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files(const fs::path& folder, const std::string& part) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find(part) != std::string::npos) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

float loudest(const Clip& clip) {
  float most = 0;
  for (const float x : clip.samples) most = std::max(most, std::fabs(x));
  return most;
}

// Held, and pressed twice for a moment; what another program plays meanwhile is what was heard. The
// minute is kept, and offered in the menu of clips.
TEST(WindowAnswerTest, AnInputIsHeardAnsweredAndKeptByKeys_timed) {
  MAMBO_NEEDS_SOUND_SERVER();
  testing::SoundServer server(48000, 1);
  ASSERT_EQ(server.problem(), "");
  const fs::path folder = server.folder() / "user";
  fs::create_directories(folder / "Music");
  const fs::path tone = server.folder() / "tone.wav";
  {
    WriterOptions options;
    options.rate = 48000;
    AudioWriter writer(tone, options);
    std::vector<float> samples(48000);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      samples[i] = 0.5F * std::sin(0.05F * static_cast<float>(i));
    }
    writer.write(samples);
    writer.close();
  }
  LiveWindow window(1280, 800, folder,
                    "--input pulse --model " MAMBO_TEST_DATA
                    "/rand-flat.safetensors --seed-clip " MAMBO_ASSETS "/seeds/digit-seven.wav");
  if (!window.is_open()) GTEST_SKIP() << window.why();
  const auto sounds = [&] {
    testing::Child player({"paplay", "-d", "mambo", tone.string()}, server.folder() / "paplay.out",
                          server.folder() / "paplay.log");
    for (int i = 0; i < 300 && player.running(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  };
  ASSERT_TRUE(window.does("sleep 2 key ctrl+r sleep 0.7 keydown l sleep 0.5"));
  sounds();
  ASSERT_TRUE(window.does("keyup l sleep 0.8 key ctrl+l sleep 0.6 key l sleep 0.6"));
  sounds();
  ASSERT_TRUE(window.does("key l sleep 0.8 key ctrl+r sleep 1 key ctrl+q"));
  EXPECT_EQ(window.wait(), 0) << window.said();

  const std::vector<fs::path> performances = files(folder, ".performance.jsonl");
  ASSERT_EQ(performances.size(), 1U) << window.said();
  const Performance p = read_performance(performances.front());
  ASSERT_EQ(p.heard.size(), 2U) << window.said();
  const Clip held = load_clip(p.heard[0].path, p.programs.front().sample_rate);
  EXPECT_GT(held.seconds(), 0.9) << "held";
  EXPECT_GT(loudest(held), 0.3F) << "what was played is not what was heard";
  const Clip pressed = load_clip(p.heard[1].path, p.programs.front().sample_rate);
  EXPECT_GT(pressed.seconds(), 0.9) << "a short press goes on until the next";
  EXPECT_GT(loudest(pressed), 0.3F);
  const auto answers = std::count_if(p.events.begin(), p.events.end(), [](const ControlEvent& e) {
    return e.id == ControlId::answer;
  });
  EXPECT_EQ(answers, 2);
  EXPECT_GT(p.recorded_samples, static_cast<std::uint64_t>(held.samples.size()));

  const std::vector<fs::path> kept = files(folder, "heard-");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept.front().parent_path(), folder / "Music");
  EXPECT_GT(loudest(load_clip(kept.front(), 48000)), 0.3F);
  std::ifstream file(window.settings());
  const auto settings = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(settings.is_object());
  const auto& recent = settings.at("recent_clips");
  EXPECT_NE(std::find(recent.begin(), recent.end(), kept.front().string()), recent.end());
}

}  // namespace
}  // namespace mambo::gui
