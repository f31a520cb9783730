#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "app/files/audio_file.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::Folder;
using testing::read_sound;
using testing::SmallDisk;
using testing::Sound;
using testing::tone;

WriterOptions options(FileFormat format, int rate = 16000, int file_rate = 0) {
  WriterOptions o;
  o.format = format;
  o.rate = rate;
  o.file_rate = file_rate;
  o.comment = R"({"a recipe":1})";
  o.replace = Replace::any();
  return o;
}

void write_tone(const std::filesystem::path& path, const WriterOptions& o, double seconds) {
  AudioWriter writer(path, o);
  writer.write(tone(seconds, o.rate).samples);
  writer.close();
}

float distance(const Sound& a, const Sound& b) {
  float most = 0;
  for (std::size_t i = 400; i + 400 < std::min(a.samples.size(), b.samples.size()); ++i) {
    most = std::max(most, std::abs(a.samples[i] - b.samples[i]));
  }
  return most;
}

TEST(AudioWriter, EveryFormatReadsBackWithItsComment) {
  const Folder folder;
  for (const FileFormat f : {FileFormat::wav, FileFormat::flac, FileFormat::ogg}) {
    const auto path = folder / (std::string("a.") + file_format_extension(f));
    write_tone(path, options(f), 1.5);
    const Sound back = read_sound(path);
    EXPECT_EQ(back.rate, 16000);
    EXPECT_EQ(back.channels, 1);
    EXPECT_EQ(back.samples.size(), 24000U) << path;
    EXPECT_EQ(back.comment, R"({"a recipe":1})") << path;
    EXPECT_LT(distance(back, tone(1.5, 16000)), f == FileFormat::ogg ? 3e-2F : 1e-4F) << path;
  }
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.flac", "a.ogg", "a.wav"}));
}

TEST(AudioWriter, FloatSamplesComeBackAsTheyWere) {
  const Folder folder;
  WriterOptions o = options(FileFormat::wav);
  o.bits = SampleBits::float32;
  write_tone(folder / "a.wav", o, 0.5);
  EXPECT_EQ(read_sound(folder / "a.wav").samples, tone(0.5, 16000).samples);
}

TEST(AudioWriter, HasTheBitsAskedFor) {
  const Folder folder;
  for (const FileFormat f : {FileFormat::wav, FileFormat::flac}) {
    float before = 1;
    for (const SampleBits bits : {SampleBits::pcm16, SampleBits::pcm24}) {
      WriterOptions o = options(f);
      o.bits = bits;
      write_tone(folder / "a", o, 0.5);
      const float off = distance(read_sound(folder / "a"), tone(0.5, 16000));
      EXPECT_LT(off, before / 64) << file_format_extension(f) << sample_bits_name(bits);
      before = off + 1e-9F;
    }
  }
  for (const FileFormat f : {FileFormat::flac, FileFormat::ogg}) {
    WriterOptions o = options(f);
    o.bits = SampleBits::float32;
    EXPECT_THROW(AudioWriter(folder / "b", o), Error);
  }
}

TEST(AudioWriter, TwoChannelsAreEachWhatTheyWouldBeAlone) {
  const Folder folder;
  const Sound left = tone(0.5, 16000);
  std::vector<float> both;
  for (const float x : left.samples) both.insert(both.end(), {x, -0.5F * x});
  for (const int rate : {0, 44100}) {
    WriterOptions o = options(FileFormat::wav, 16000, rate);
    o.bits = SampleBits::float32;
    write_tone(folder / "mono.wav", o, 0.5);
    o.channels = 2;
    {
      AudioWriter writer(folder / "stereo.wav", o);
      writer.write(both);
      writer.close();
      EXPECT_EQ(writer.file_frames(), read_sound(folder / "mono.wav").samples.size());
    }
    const Sound stereo = read_sound(folder / "stereo.wav");
    ASSERT_EQ(stereo.channels, 2);
    const Sound mono = read_sound(folder / "mono.wav");
    ASSERT_EQ(stereo.samples.size(), 2 * mono.samples.size());
    for (std::size_t i = 0; i < mono.samples.size(); ++i) {
      ASSERT_EQ(stereo.samples[2 * i], mono.samples[i]) << i;
      ASSERT_NEAR(stereo.samples[2 * i + 1], -0.5F * mono.samples[i], 1e-6F) << i;
    }
  }
}

TEST(AudioWriter, TheSameSoundIsTheSameFile) {
  const Folder folder;
  for (const FileFormat f : {FileFormat::wav, FileFormat::flac, FileFormat::ogg}) {
    write_tone(folder / "a", options(f, 16000, 44100), 1);
    write_tone(folder / "b", options(f, 16000, 44100), 1);
    EXPECT_TRUE(bytes_of(folder / "a") == bytes_of(folder / "b")) << file_format_extension(f);
  }
}

TEST(AudioWriter, ConvertsTheRate) {
  const Folder folder;
  write_tone(folder / "a.wav", options(FileFormat::wav, 16000, 48000), 1);
  const Sound back = read_sound(folder / "a.wav");
  EXPECT_EQ(back.rate, 48000);
  EXPECT_NEAR(static_cast<double>(back.samples.size()), 48000, 2);
  EXPECT_LT(distance(back, tone(1, 48000)), 1e-3F);
}

TEST(AudioWriter, NothingUnderTheFinalNameUntilItIsWhole) {
  const Folder folder;
  std::ofstream(folder / "a.wav") << "what was there";
  AudioWriter writer(folder / "a.wav", options(FileFormat::wav));
  writer.write(tone(1, 16000).samples);
  EXPECT_EQ(bytes_of(folder / "a.wav"), "what was there");
  writer.close();
  EXPECT_EQ(writer.file_frames(), 16000U);
  EXPECT_EQ(read_sound(folder / "a.wav").samples.size(), 16000U);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.wav"});
}

TEST(AudioWriter, AbandonedItKeepsWhatItGot) {
  const Folder folder;
  {
    AudioWriter writer(folder / "a.wav", options(FileFormat::wav));
    writer.write(tone(0.5, 16000).samples);
    const AudioWriter silent(folder / "b.wav", options(FileFormat::wav));
  }
  EXPECT_EQ(read_sound(folder / "a.wav").samples.size(), 8000U);
  EXPECT_EQ(folder.names(),
            std::vector<std::string>{"a.wav"});  // and of b, which got nothing, none
}

TEST(AudioWriter, UnwritablePlacesAreErrors) {
  const Folder folder;
  std::ofstream(folder / "file") << "x";
  for (const std::filesystem::path& path :
       {folder / "file/a.wav", std::filesystem::path("/proc/a.wav"), folder.path(),
        std::filesystem::path()}) {
    EXPECT_THROW(AudioWriter(path, options(FileFormat::wav)), Error) << path;
  }
  EXPECT_THROW(AudioWriter(folder / "a.ogg", options(FileFormat::ogg, 16000, 7)), Error);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"file"});
}

TEST(AudioWriter, AFullDiskLeavesAValidShorterFile) {
  const SmallDisk disk(256);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  for (const FileFormat f : {FileFormat::wav, FileFormat::flac, FileFormat::ogg}) {
    const auto path = disk / "a";
    std::string text;
    AudioWriter writer(path, options(f, 16000, 48000));
    Sound noise = tone(1, 16000);
    for (std::size_t i = 0; i < noise.samples.size(); ++i) {  // FLAC cannot make it small
      noise.samples[i] = std::sin(static_cast<float>(i * i % 7919));
    }
    try {
      for (int second = 0; second < 120; ++second) writer.write(noise.samples);
    } catch (const Error& e) {
      text = e.what();
    }
    EXPECT_NE(text.find("No space left on device; it holds the first"), std::string::npos) << text;
    const Sound back = read_sound(path);
    EXPECT_GT(back.samples.size(), 48000U) << file_format_extension(f);
    EXPECT_EQ(back.samples.size(), writer.file_frames()) << file_format_extension(f);
    EXPECT_EQ(back.comment, R"({"a recipe":1})");
    std::filesystem::remove(path);
  }
}

TEST(AudioWriter, ADiskWithoutRoomAtAllKeepsNothing) {
  const SmallDisk disk(64);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  std::ofstream(disk / "ballast") << std::string(40000, 'x');
  EXPECT_THROW(AudioWriter(disk / "a.wav", options(FileFormat::wav)), Error);
  EXPECT_FALSE(std::filesystem::exists(disk / "a.wav"));
}

}  // namespace
}  // namespace mambo
