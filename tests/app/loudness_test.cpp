// How loud the continuation is beside the clip: measured, said, matched where that is asked for.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/files/loudness.h"
#include "app/offline/recipe.h"
#include "dsp/loudness_window.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::small_model;
using testing::tone_clip;

// What the callback measures is what libebur128 measures, at any rate.
TEST(LoudnessWindow, AgreesWithLibebur128) {
  for (const char* name : {"satie-gymnopedie", "drums-house", "piano-joplin"}) {
    const testing::Sound sound = read_sound(std::string(MAMBO_ASSETS "/seeds/") + name + ".wav");
    for (const int rate : {8000, 16000, 48000}) {  // the same numbers, told to be of other rates
      const std::size_t n = std::min(sound.samples.size(), static_cast<std::size_t>(10 * rate));
      const std::span<const float> end = std::span(sound.samples).first(n);
      LoudnessMeter meter(rate, 1, false);
      meter.add(end);
      LoudnessWindow window;
      window.prepare(rate);
      for (const float x : end) window.hear(x);
      EXPECT_NEAR(window.lufs(), meter.so_far().lufs, 0.3) << name << " " << rate;
    }
  }
}

TEST(Loudness, OfAClipsEndIsThatOfItsLastTenSeconds) {
  std::vector<std::uint8_t> codes(12 * 16000);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const bool loud = i < 2 * 16000;  // before the last ten seconds
    codes[i] = static_cast<std::uint8_t>(128 + (loud ? 100 : 60) * ((i / 20) % 2 == 0 ? 1 : -1));
  }
  const auto all = loudness_of_end(codes, Encoding::mulaw8, 16000);
  const auto end = loudness_of_end(std::span(codes).subspan(2 * 16000), Encoding::mulaw8, 16000);
  ASSERT_TRUE(all && end);
  EXPECT_EQ(*all, *end);
  EXPECT_FALSE(loudness_of_end({}, Encoding::mulaw8, 16000));
  EXPECT_FALSE(loudness_of_end(std::vector<std::uint8_t>(32000, 128), Encoding::mulaw8, 16000));
}

class RenderLoudness : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder / name).string(); }
  Outcome render(std::vector<std::string> words) const {
    std::vector<std::string> all = {"render", "-m", small_model(), "-s", clip};
    all.insert(all.end(), words.begin(), words.end());
    return mambo(all);
  }
  Folder folder;
  std::string clip = tone_clip(folder, 2).string();
};

double lufs_of(const std::vector<float>& samples) {
  LoudnessMeter meter(16000, 1, false);
  meter.add(samples);
  return meter.so_far().lufs;
}

TEST_F(RenderLoudness, IsSaidOfClipAndContinuation) {
  const Outcome o = render({"--seconds", "2", "-o", path("a.wav")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("2.00 s, clip -"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find(" LUFS, continued -"), std::string::npos) << o.out;
  const auto json = render({"--seconds", "2", "-o", path("b.wav"), "--json"}).json();
  ASSERT_EQ(json.at("continuation_lufs").size(), 1U);
  EXPECT_NEAR(json.at("clip_lufs").at(0).get<double>(), lufs_of(read_sound(clip).samples), 0.2);
  EXPECT_NEAR(json.at("continuation_lufs").at(0).get<double>(),
              lufs_of(read_sound(path("b.wav")).samples), 0.2);
  // Of silence there is none to compare with, and nothing is said.
  const Outcome silent = mambo({"render", "-m", small_model(), "--from-silence", "--seconds", "1",
                                "-o", path("c.wav"), "--json"});
  EXPECT_TRUE(silent.json().at("clip_lufs").at(0).is_null());
}

TEST_F(RenderLoudness, IsMatchedWhereThatIsAskedForAndTheRecipeSaysSo) {
  ASSERT_EQ(render({"--seconds", "12", "-o", path("plain.wav")}).code, 0);
  const Outcome o = render({"--seconds", "12", "--match-level", "-o", path("matched.wav")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find(", matched"), std::string::npos) << o.out;
  const std::vector<float> plain = read_sound(path("plain.wav")).samples;
  const std::vector<float> matched = read_sound(path("matched.wav")).samples;
  ASSERT_EQ(plain.size(), matched.size());
  const double wanted = lufs_of(read_sound(clip).samples);
  const auto end = [](const std::vector<float>& x) {
    return std::vector<float>(x.end() - 2 * 16000, x.end());
  };
  const double before = std::abs(lufs_of(end(plain)) - wanted);
  const double after = std::abs(lufs_of(end(matched)) - wanted);
  EXPECT_GT(before, 1) << "the test needs a difference";
  EXPECT_LT(after, std::max(0.7, before - 10));
  // The recipe makes it again, bit for bit; one without the key, as before there was one, does not
  // match.
  EXPECT_TRUE(read_recipe(path("matched.json")).finish.match_level);
  EXPECT_FALSE(read_recipe(path("plain.json")).finish.match_level);
  EXPECT_EQ(bytes_of(path("plain.json")).find("match_level"), std::string::npos);
  ASSERT_EQ(mambo({"render", "--recipe", path("matched.json"), "-o", path("again.wav")}).code, 0);
  EXPECT_EQ(read_sound(path("again.wav")).samples, matched);
}

}  // namespace
}  // namespace mambo
