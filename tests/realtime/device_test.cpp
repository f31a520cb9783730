// The sound card as the program sees it, against a private sound server.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "app/audio/audio_device.h"
#include "app/audio/audio_device_list.h"
#include "sanitized.h"
#include "sound_server.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::SinkRecording;
using testing::SoundServer;
using testing::SoundWorld;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

// Plays 1, 2, 3, ... / 2^20: every sample identifies its position. The same in all channels.
class Counting final : public AudioSource {
 public:
  void prepare(double rate, int channels, int max_frames) override {
    rate_ = rate;
    channels_ = channels;
    EXPECT_GT(max_frames, 0);
    EXPECT_EQ(played, 0U) << "prepared after the first render";
  }
  void render(float* out, int frames) noexcept override {
    for (int i = 0; i < frames; ++i) {
      const float x = value(++played);
      for (int c = 0; c < channels_; ++c) *out++ = x;
    }
  }
  static float value(std::uint64_t n) { return static_cast<float>(n) / (1U << 20U); }
  std::atomic<std::uint64_t> played{0};

 private:
  double rate_ = 0;
  int channels_ = 0;
};

std::string message_of(const AudioDeviceRequest& request) {
  Counting source;
  try {
    open_audio(request, source);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// A file stands for the server's socket.
TEST(SoundSystemSigns, ChangeWhenAServerComesAndWhenItGoes) {
  const testing::SoundWorld world;
  const std::string before = sound_system_signs();
  EXPECT_EQ(sound_system_signs(), before);
  std::ofstream(world.socket()) << "here";
  const std::string with = sound_system_signs();
  EXPECT_NE(with, before);
  EXPECT_EQ(sound_system_signs(), with);
  std::filesystem::remove(world.socket());
  EXPECT_EQ(sound_system_signs(), before);
}

TEST(AudioDevice, ListShowsTheServerOnceByName) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  const std::vector<AudioDeviceInfo> devices = list_audio_devices();
  std::set<std::string> names;
  int defaults = 0;
  for (const AudioDeviceInfo& d : devices) {
    EXPECT_TRUE(names.insert(d.name).second) << d.name << " twice";
    EXPECT_EQ(d.name.rfind(d.host_api + ": ", 0), 0U) << d.name;
    EXPECT_GT(d.channels, 0);
    EXPECT_GT(d.default_rate, 0);
    EXPECT_GE(d.high_latency_s, d.low_latency_s);
    defaults += d.is_default ? 1 : 0;
  }
  EXPECT_TRUE(names.contains("ALSA: pulse"));
  EXPECT_EQ(defaults, 1);
}

TEST(AudioDevice, EverySampleArrivesInOrder) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  SinkRecording recording(server, 16000);
  Counting source;
  auto output = open_audio({"", 16000, 0.1}, source);
  EXPECT_FALSE(output->is_silent());
  EXPECT_EQ(output->rate(), 16000);
  EXPECT_GT(output->latency_s(), 0);
  EXPECT_LT(output->latency_s(), 0.5);
  std::this_thread::sleep_for(1s);
  EXPECT_TRUE(output->alive());
  EXPECT_EQ(output->device_underflows(), 0U);
  const std::uint64_t played = source.played;
  output.reset();
  const std::vector<float> heard = recording.stop();
  const auto first = std::find(heard.begin(), heard.end(), Counting::value(1));
  ASSERT_NE(first, heard.end()) << "the first sample never arrived";
  std::uint64_t n = 0;
  for (auto x = first; x != heard.end() && *x == Counting::value(n + 1); ++x) ++n;
  EXPECT_GT(played, 14000U);
  EXPECT_GE(n, played) << "sample " << n + 1 << " did not follow, or closing cut off the end";
  EXPECT_EQ(n, source.played);
}

// How far the device gets ahead of real time, in seconds.
double most_ahead(const Counting& source, double seconds) {
  const auto opened = Clock::now();
  double ahead = 0;
  while (seconds_since(opened) < seconds) {
    ahead = std::max(ahead, static_cast<double>(source.played) / 16000 - seconds_since(opened));
    std::this_thread::sleep_for(1ms);
  }
  return ahead;
}

// A device fills its buffer in one go; a generator that has just started could not keep up.
TEST(AudioDevice, AsksForSoundAtItsOwnPaceFromTheBeginning) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  Counting source;
  auto output = open_audio({"", 16000, 0.2}, source);
  EXPECT_LT(most_ahead(source, 0.5), 0.12) << "the device's whole buffer is 0.2 s";
  EXPECT_GT(source.played, 4000U);
}

// Its thread may have to wait while it fills the buffer, which does not mean that the buffer is
// full.
TEST(AudioDevice, AsksForSoundAtItsOwnPaceOnABusyMachine) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  std::vector<std::jthread> busy;
  for (unsigned i = 0; i < 4 * std::thread::hardware_concurrency(); ++i) {
    busy.emplace_back([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
      }
    });
  }
  for (int i = 0; i < 8; ++i) {
    Counting source;
    auto output = open_audio({"", 16000, 0.2}, source);
    ASSERT_LT(most_ahead(source, 0.1), 0.15) << "opened for the " << i + 1 << ". time";
  }
}

TEST(AudioDevice, OneAndTwoChannelsOpen) {
  MAMBO_NEEDS_SOUND_SERVER();
  for (const int channels : {1, 2}) {
    SoundServer server(48000, channels);
    ASSERT_EQ(server.problem(), "");
    Counting source;
    auto output = open_audio({"ALSA: pulse", 48000, 0.1}, source);
    EXPECT_EQ(output->rate(), 48000);
    EXPECT_GE(output->channels(), 1);
    EXPECT_LE(output->channels(), 2);
    std::this_thread::sleep_for(200ms);
    EXPECT_GT(source.played, 4800U);
  }
}

TEST(AudioDevice, APartOfTheNameIsEnoughIfUnique) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  Counting source;
  EXPECT_EQ(open_audio({"PuLSe", 16000, 0.1}, source)->name(), "ALSA: pulse");
  EXPECT_EQ(message_of({"alsa", 16000, 0.1}),
            "\"alsa\" fits 2 audio devices, and only one is wanted: \"ALSA: pulse\", "
            "\"ALSA: default\"");
  EXPECT_EQ(message_of({"tuba", 16000, 0.1}),
            "no audio device is called \"tuba\"; there are \"ALSA: pulse\", \"ALSA: default\"");
}

TEST(AudioDevice, AnExactNameWinsOverOnesThatContainIt) {
  std::vector<portaudio::Device> all(3);
  all[0].info.name = "ALSA: card, long";
  all[1].info.name = "ALSA: card";
  all[2].info.name = "JACK: system";
  EXPECT_EQ(&portaudio::choose(all, "ALSA: card"), &all[1]);
  EXPECT_EQ(&portaudio::choose(all, "LONG"), &all[0]);
  EXPECT_THROW(portaudio::choose(all, "card"), Error);
  EXPECT_THROW(portaudio::choose(all, ""), Error) << "none of them is the default";
  all[2].info.is_default = true;
  EXPECT_EQ(&portaudio::choose(all, ""), &all[2]);
}

TEST(AudioDevice, WithoutAnyTheListIsEmptyAndOpeningSaysSo) {
  const SoundWorld nothing;
  if (!list_audio_devices().empty()) GTEST_SKIP() << "another host API than ALSA has devices here";
  EXPECT_EQ(message_of({"", 16000, 0.1}), "there is no audio device on this machine");
  EXPECT_EQ(message_of({"tuba", 16000, 0.1}), "there is no audio device on this machine");
}

TEST(AudioDevice, StaysQuietOnStderr) {
  if (testing::kSanitized) GTEST_SKIP() << "under a sanitizer everything is said";
  const SoundWorld nothing;
  ::testing::internal::CaptureStderr();
  list_audio_devices();
  message_of({"", 16000, 0.1});
  std::fprintf(stderr, "after");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "after") << "chatter, or stderr not restored";
}

// Pulled out: noticed, and closing does not wait for it.
TEST(AudioDevice, AServerThatDiesIsNoticed) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  Counting source;
  auto output = open_audio({"", 16000, 0.05}, source);
  std::this_thread::sleep_for(200ms);
  ASSERT_TRUE(output->alive());
  server.kill();
  const auto killed = Clock::now();
  while (output->alive() && seconds_since(killed) < 3) std::this_thread::sleep_for(10ms);
  EXPECT_LT(seconds_since(killed), 0.9) << "PortAudio knows at once";
  const auto closing = Clock::now();
  output.reset();
  EXPECT_LT(seconds_since(closing), 2);
  EXPECT_FALSE(message_of({"", 16000, 0.05}).empty());
}

// Hung: PortAudio's own calls would never return.
TEST(AudioDevice, AServerThatHangsIsLeftBehind) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  Counting source;
  auto output = open_audio({"", 16000, 0.05}, source);
  std::this_thread::sleep_for(200ms);
  server.freeze();
  const auto frozen = Clock::now();
  while (output->alive() && seconds_since(frozen) < 3) std::this_thread::sleep_for(10ms);
  EXPECT_LT(seconds_since(frozen), 2);
  const auto closing = Clock::now();
  output.reset();
  EXPECT_LT(seconds_since(closing), 2);
  const std::uint64_t played = source.played;
  const auto asking = Clock::now();
  EXPECT_EQ(message_of({"", 16000, 0.05}), "the sound system does not answer");
  EXPECT_LT(seconds_since(asking), 1) << "a second call waits again";
  EXPECT_EQ(source.played, played) << "rendered after it was closed";
  server.kill();  // which releases every call that waits for it
  const auto killed = Clock::now();
  while (portaudio::left_behind() > 0 && seconds_since(killed) < 5)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(portaudio::left_behind(), 0) << "the call left behind never ended";
}

TEST(SilentClock, KeepsRealTimeAndStops) {
  Counting source;
  auto clock = open_silent_clock(16000, source);
  EXPECT_TRUE(clock->is_silent());
  EXPECT_TRUE(clock->alive());
  EXPECT_EQ(clock->rate(), 16000);
  bool keeps = false;  // a machine with other things to do may be late for a while
  for (int i = 0; i < 10 && !keeps; ++i) {
    const auto start = Clock::now();
    const std::uint64_t before = source.played;
    std::this_thread::sleep_for(1s);
    const double played = static_cast<double>(source.played - before) / 16000;
    keeps = std::abs(played - seconds_since(start)) < 0.05;
  }
  EXPECT_TRUE(keeps);
  const auto closing = Clock::now();
  clock.reset();
  EXPECT_LT(seconds_since(closing), 1);
  const std::uint64_t at_end = source.played;
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(source.played, at_end);
}

}  // namespace
}  // namespace mambo
