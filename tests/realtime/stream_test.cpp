// From the model to the sink: the sink receives, sample by sample, what the model made.
// 10 seconds; 60 with MAMBO_LONG=1 in the environment.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "app/audio/audio_device.h"
#include "app/files/rate_converter.h"
#include "dsp/output_stage.h"
#include "listen.h"
#include "sanitized.h"
#include "sound_server.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::bring_up;
using testing::kClip;
using testing::Offline;
using testing::SinkRecording;
using testing::SoundServer;
using testing::within;

double seconds_to_play() {
  const char* thorough =
      std::getenv("MAMBO_LONG");  // NOLINT(concurrency-mt-unsafe): the tests do not change it
  return thorough != nullptr && std::string(thorough) == "1" ? 60 : 10;
}

SessionOptions options() {
  SessionOptions o;
  o.latency_s = 0.12;  // a busy machine with two cores may be late now and then
  return o;
}

// Plays the clip's continuation into the sink and returns what arrived there at `rate`.
std::vector<float> listen(SoundServer& server, const std::filesystem::path& clip, int rate,
                          double seconds) {
  SinkRecording recording(server, rate);
  Session session(options());
  if (!bring_up(session, clip)) return {};
  session.play();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds + 0.5));
  const SessionStatus s = session.status();
  EXPECT_FALSE(s.silent) << s.message;
  EXPECT_EQ(s.underruns, 0U);
  EXPECT_GT(s.output_latency_ms, 20);
  EXPECT_LT(s.output_latency_ms, 300);
  session.pause();
  std::this_thread::sleep_for(50ms);
  return recording.stop();
}

// How many samples of `made` are in `heard`, one after the other, and where the first of them is.
struct Found {
  std::size_t at = 0, first = 0, count = 0;
};
Found locate(const std::vector<float>& heard, const std::vector<float>& made, std::size_t first) {
  const auto begin = made.begin() + static_cast<std::ptrdiff_t>(first);
  const auto at = std::search(heard.begin(), heard.end(), begin, begin + 64);
  Found f{static_cast<std::size_t>(at - heard.begin()), first, 0};
  while (f.at + f.count < heard.size() && first + f.count < made.size() &&
         heard[f.at + f.count] == made[first + f.count]) {
    ++f.count;
  }
  return f;
}

// The highest normalised correlation of `b` with any excerpt of `a`, to a fraction of a sample.
double best_correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const auto correlation = [&](std::size_t lag, double fraction, std::size_t stride) {
    double ab = 0, aa = 1e-12, bb = 1e-12;
    for (std::size_t i = 0; i < b.size(); i += stride) {
      const double x = a[lag + i] + fraction * (a[lag + i + 1] - a[lag + i]);
      ab += x * b[i];
      aa += x * x;
      bb += static_cast<double>(b[i]) * b[i];
    }
    return ab / std::sqrt(aa * bb);
  };
  std::size_t lag = 0;
  double best = -1;
  for (std::size_t l = 0; l + b.size() + 1 < a.size(); ++l) {  // roughly, on every 32nd sample
    const double c = correlation(l, 0, 32);
    if (c > best) {
      best = c;
      lag = l;
    }
  }
  best = -1;
  for (std::size_t l = lag < 3 ? 0 : lag - 3; l <= lag + 3 && l + b.size() + 1 < a.size(); ++l) {
    for (double f = 0; f < 1; f += 0.1) best = std::max(best, correlation(l, f, 1));
  }
  return best;
}

// The tiny model makes white noise, and a server's resampler attenuates the top of the highest
// octave.
constexpr double kAlike = testing::kSanitized ? 0.95 : 0.99;

// An excerpt of 0.4 s, from 0.1 s on, at another rate.
std::vector<float> stretch_at(int rate, const std::vector<float>& made) {
  std::vector<float> all;
  RateConverter convert(16000, rate);
  convert.process(made, all);
  const auto tenth = static_cast<std::ptrdiff_t>(rate / 10);
  EXPECT_GT(all.size(), static_cast<std::size_t>(5 * tenth));
  return {all.begin() + tenth, all.begin() + 5 * tenth};
}

TEST(Stream, TheSinkHearsTheVerySamplesOfAnOfflineGenerator) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  const double seconds = seconds_to_play();
  const std::vector<float> heard = listen(server, kClip, 16000, seconds);
  Offline offline(kClip);
  ASSERT_EQ(offline.rate(), 16000);
  const std::vector<float> made = offline.samples(static_cast<std::size_t>((seconds + 2) * 16000));
  constexpr std::size_t fade = 80;  // 5 ms in which the sound opens
  const Found f = locate(heard, made, fade);
  ASSERT_GT(f.count, 0U) << "nothing of it arrived";
  EXPECT_GT(static_cast<double>(f.count), seconds * 16000)
      << "sample " << f.first + f.count << " did not follow";
  ASSERT_GE(f.at, fade);
  for (std::size_t i = 0; i < fade; ++i) {
    const float x = heard[f.at - fade + i];
    EXPECT_LE(std::fabs(x), std::fabs(made[i])) << "in the fade, sample " << i;
    EXPECT_GE(x * made[i], 0.0F);
  }
  for (std::size_t i = 0; i < f.at - fade; ++i) ASSERT_EQ(heard[i], 0.0F) << "before it began";
}

TEST(Stream, AStereoSinkHearsThemInBothChannels) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 2);
  ASSERT_EQ(server.problem(), "");
  const std::filesystem::path clip = testing::short_clip(server.folder());
  const std::vector<float> heard = listen(server, clip, 16000, 1);
  const std::vector<float> made = Offline(clip).samples(32000);
  EXPECT_GT(locate(heard, made, 80).count, 16000U);
}

TEST(Stream, ASinkOfAnotherRateHearsTheSameSound) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(48000, 2);
  ASSERT_EQ(server.problem(), "");
  const std::filesystem::path clip = testing::short_clip(server.folder());
  const std::vector<float> heard = listen(server, clip, 48000, 1);
  const std::vector<float> made = Offline(clip).samples(16000);
  EXPECT_GT(best_correlation(heard, stretch_at(48000, made)), kAlike);
}

// A device that is opened at its own rate: our resampler does what the server did above.
TEST(Stream, OurResamplerDrivesADeviceOfAnotherRate) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(48000, 1);
  ASSERT_EQ(server.problem(), "");
  const std::vector<float> made = Offline(testing::short_clip(server.folder())).samples(24000);
  RingBuffer<float> ring(made.size());
  ring.write(std::span<const float>(made));
  OutputStage stage(ring);
  stage.set_refill(1000);
  stage.set_playing(true);
  struct Source final : AudioSource {
    explicit Source(OutputStage& s) : stage(s) {}
    void prepare(double rate, int channels, int) override {
      stage.prepare(16000, static_cast<int>(rate), channels);
    }
    void render(float* out, int frames) noexcept override {
      stage.render(out, static_cast<std::size_t>(frames));
    }
    OutputStage& stage;
  } source(stage);
  SinkRecording recording(server, 48000);
  auto output = open_audio({"pulse", 48000, 0.1}, source);
  ASSERT_EQ(output->rate(), 48000);
  std::this_thread::sleep_for(1200ms);
  EXPECT_EQ(stage.underruns(), 0U);
  output.reset();
  const std::vector<float> heard = recording.stop();
  EXPECT_GT(best_correlation(heard, stretch_at(48000, made)), kAlike);
}

// The card is pulled out and comes back.
TEST(Stream, ASessionSurvivesTheLossOfItsDevice) {
  MAMBO_NEEDS_SOUND_SERVER();
  SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  Session session(options());
  ASSERT_TRUE(bring_up(session, testing::short_clip(server.folder())));
  session.play();
  ASSERT_TRUE(within(5, [&] { return session.status().heard > 4000; }));
  EXPECT_FALSE(session.status().silent);
  server.kill();
  ASSERT_TRUE(within(4, [&] { return session.status().silent; }));
  EXPECT_TRUE(within(1, [&] {
    const SessionStatus s = session.status();
    return s.message_is_error && s.message.find("went away") != std::string::npos;
  })) << session.status().message;
  const std::uint64_t then = session.status().generated;
  EXPECT_TRUE(within(3, [&] { return session.status().generated > then + 4000; })) << "goes on";

  server.restart();
  ASSERT_EQ(server.problem(), "");
  EXPECT_TRUE(within(12, [&] { return !session.status().silent; })) << session.status().message;
  SinkRecording recording(server, 16000);
  std::this_thread::sleep_for(500ms);
  const std::vector<float> heard = recording.stop();
  EXPECT_TRUE(
      std::any_of(heard.begin(), heard.end(), [](float x) { return std::fabs(x) > 0.01F; }));
}

}  // namespace
}  // namespace mambo
