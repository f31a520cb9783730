#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "app/files/audio_file.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::Sound;
using testing::tone;
using testing::write_sound;

std::string message(const std::filesystem::path& path) {
  try {
    load_clip(path, 16000);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// Largest distance to the tone, away from the ends, where a resampler rings.
float distance(const Clip& clip) {
  const Sound ideal = tone(clip.seconds(), clip.rate);
  float most = 0;
  for (std::size_t i = 400; i + 400 < clip.samples.size() && i < ideal.samples.size(); ++i) {
    most = std::max(most, std::abs(clip.samples[i] - ideal.samples[i]));
  }
  return most;
}

TEST(AudioReader, EveryFormatGivesTheSameSound) {
  const Folder folder;
  const struct {
    const char* name;
    int format;
    float tolerance;
  } cases[] = {{"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1e-4F},
               {"b.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1e-6F},
               {"c.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 1e-6F},
               {"d.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1e-4F},
               {"e.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 2e-2F},
               {"f.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1e-4F}};
  for (const auto& c : cases) {
    write_sound(folder / c.name, tone(0.5, 16000, 2), c.format);
    const Clip clip = load_clip(folder / c.name, 16000);
    EXPECT_EQ(clip.samples.size(), 8000U) << c.name;
    EXPECT_EQ(clip.source_channels, 2) << c.name;
    EXPECT_LT(distance(clip), c.tolerance) << c.name;
  }
}

TEST(AudioReader, AnyRateIsConverted) {
  const Folder folder;
  for (const int rate : {8000, 11025, 44100, 48000, 96000, 192000}) {
    write_sound(folder / "a.wav", tone(0.5, rate), SF_FORMAT_WAV | SF_FORMAT_FLOAT);
    const Clip clip = load_clip(folder / "a.wav", 16000);
    EXPECT_EQ(clip.source_rate, rate);
    EXPECT_NEAR(static_cast<double>(clip.samples.size()), 8000, 2) << rate;
    EXPECT_LT(distance(clip), 1e-3F) << rate;
  }
}

TEST(AudioReader, EightChannelsAt192kHzAreMixed) {
  const Folder folder;
  Sound sound = tone(0.5, 192000, 8);
  // One loud channel among eight silent ones is an eighth of itself.
  for (std::size_t i = 0; i < sound.samples.size(); ++i) sound.samples[i] *= i % 8 == 3 ? 1.6F : 0;
  write_sound(folder / "a.wav", sound, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  Clip clip = load_clip(folder / "a.wav", 16000);
  EXPECT_EQ(clip.source_channels, 8);
  for (float& x : clip.samples) x *= 5;
  EXPECT_LT(distance(clip), 2e-3F);
}

TEST(AudioReader, BeyondFullScaleIsClipped) {
  const Folder folder;
  Sound sound = tone(0.25, 44100);
  for (float& x : sound.samples) x *= 1e30F;
  write_sound(folder / "a.wav", sound, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  for (const float x : load_clip(folder / "a.wav", 16000).samples) ASSERT_LE(std::abs(x), 1.0F);
  for (const float x : load_clip(folder / "a.wav", 44100).samples) ASSERT_LE(std::abs(x), 1.0F);
}

TEST(AudioReader, NaNAndInfinityAreRefusedWithTheirPlace) {
  const Folder folder;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Sound sound = tone(6, 16000, 2);
    sound.samples[2 * 80000 + 1] = bad;
    write_sound(folder / "a.wav", sound, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
    const std::string text = message(folder / "a.wav");
    EXPECT_NE(text.find("found NaN or infinity at sample 80000 (5.0000 s)"), std::string::npos)
        << text;
  }
}

TEST(AudioReader, WhatIsNoClipIsRefusedInOneSentence) {
  const Folder folder;
  write_sound(folder / "zero.wav", tone(0, 16000), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  std::ofstream(folder / "text.wav") << "this is no sound, but it is long enough to have a header";
  std::ofstream(folder / "empty.wav").flush();
  const struct {
    const char* name;
    const char* words;
  } cases[] = {{"zero.wav", "found a sound file without samples"},
               {"text.wav", "expected a sound file"},
               {"empty.wav", "found an empty one"},
               {"missing.wav", "no such file or folder"},
               {".", "found a folder"}};
  for (const auto& c : cases) {
    const std::string text = message(folder / c.name);
    EXPECT_NE(text.find(c.words), std::string::npos) << text;
    EXPECT_NE(text.find((folder / c.name).string()), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST(AudioReader, TruncatedFileGivesWhatIsThereOrAnError) {
  const Folder folder;
  write_sound(folder / "a.wav", tone(1, 16000), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  std::filesystem::resize_file(folder / "a.wav", 16044);
  EXPECT_EQ(load_clip(folder / "a.wav", 16000).samples.size(), 8000U);
  std::filesystem::resize_file(folder / "a.wav", 20);
  EXPECT_NE(message(folder / "a.wav"), "no error");
}

}  // namespace
}  // namespace mambo
