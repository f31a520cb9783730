// Sound through pipes: out of standard output, pipes and devices, and in by standard input.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill is POSIX
#include <sndfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/sound_stream.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::expect_one_line;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::small_model;
using testing::tone;
using testing::tone_clip;

class SoundStreams : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  // What comes out of the pipe until its writer closes it.
  std::future<std::string> read_pipe() const {
    return std::async(std::launch::async, [this] { return bytes_of(pipe); });
  }
  static WriterOptions options(FileFormat format, std::uint64_t ahead) {
    WriterOptions o;
    o.format = format;
    o.comment = R"({"a recipe":1})";
    o.frames_ahead = ahead;
    return o;
  }
  static void write_tone(const std::string& to, const WriterOptions& o) {
    AudioWriter writer(to, o);
    writer.write(tone(0.5, 16000).samples);
    writer.close();
    EXPECT_EQ(writer.file_frames(), o.file_rate == 0 ? 8000U : writer.file_frames());
  }
  std::vector<std::string> render(const std::string& target) const {
    return {"render", "-m", small_model(), "-s", clip, "--seconds", "0.5", "-o", target};
  }

  Folder folder;
  std::string pipe = path("pipe");
  std::string clip = tone_clip(folder).string();
};

std::uint32_t number(const std::string& bytes, std::size_t at) {
  std::uint32_t v = 0;
  std::memcpy(&v, bytes.data() + at, sizeof v);
  return v;
}

TEST_F(SoundStreams, OfKnownLengthAreTheFileToTheLastBit) {
  for (const SampleBits bits : {SampleBits::pcm16, SampleBits::pcm24, SampleBits::float32}) {
    for (const int channels : {1, 2}) {
      WriterOptions o = options(FileFormat::wav, channels == 1 ? 8000 : 4000);
      o.bits = bits;
      o.channels = channels;
      o.replace = Replace::any();
      std::string whole;
      {
        auto out = read_pipe();
        AudioWriter writer(pipe, o);
        AudioWriter file(path("a.wav"), o);
        EXPECT_TRUE(writer.streams());
        EXPECT_FALSE(file.streams());
        for (AudioWriter* w : {&writer, &file}) {
          w->write(tone(0.5, 16000).samples);
          w->close();
        }
        whole = out.get();
      }
      EXPECT_TRUE(whole == bytes_of(path("a.wav"))) << sample_bits_name(bits) << channels;
    }
  }
}

TEST_F(SoundStreams, OfUnknownLengthSayTheLargest) {
  WriterOptions o = options(FileFormat::wav, 8000);
  o.file_rate = 44100;  // how much that becomes, the converter knows in the end
  auto out = read_pipe();
  write_tone(pipe, o);
  const std::string bytes = out.get();
  EXPECT_EQ(number(bytes, 4), 0xFFFFFFFFU);
  const std::size_t data = bytes.find("data");
  ASSERT_NE(data, std::string::npos);
  EXPECT_EQ(number(bytes, data + 4), 0xFFFFFFFFU);
  EXPECT_NEAR(static_cast<double>(bytes.size() - data - 8) / 2, 22050, 2);
}

TEST_F(SoundStreams, RawAreTheSamplesAlone) {
  auto out = read_pipe();
  write_tone(pipe, options(FileFormat::raw, 0));
  const std::string raw = out.get();
  write_tone(path("a.wav"), options(FileFormat::wav, 0));
  const std::string wav = bytes_of(path("a.wav"));
  ASSERT_EQ(raw.size(), 16000U);
  EXPECT_TRUE(wav.substr(wav.size() - 16000) == raw);
}

TEST_F(SoundStreams, TakeNoFormatThatGoesBackAndFilesNoneWithoutAHeader) {
  for (const FileFormat f : {FileFormat::flac, FileFormat::ogg}) {
    EXPECT_THROW(AudioWriter(pipe, options(f, 0)), Error);
  }
  EXPECT_THROW(AudioWriter(path("a.raw"), options(FileFormat::raw, 0)), Error);
  EXPECT_THROW(AudioWriter("/dev/full", options(FileFormat::wav, 0)).write(tone(1, 16000).samples),
               Error);
  write_tone("/dev/null", options(FileFormat::wav, 0));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(SoundStreams, AreLeftWhenTheirReaderTakesNothing_threads) {
  std::atomic<bool> stop{false};
  WriterOptions o = options(FileFormat::wav, 0);
  o.stop = [&] { return stop.load(); };
  auto writing = std::async(std::launch::async, [&] {
    AudioWriter writer(pipe, o);  // waits for a reader
    for (int i = 0; i < 100; ++i) writer.write(tone(0.5, 16000).samples);
    writer.close();
  });
  const int reader = ::open(pipe.c_str(), O_RDONLY);
  EXPECT_EQ(writing.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  stop = true;
  EXPECT_EQ(writing.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_NO_THROW(writing.get());
  ::close(reader);
  // Nor does it wait for ever for one.
  AudioWriter(pipe, o).write(tone(0.1, 16000).samples);
}

TEST_F(SoundStreams, RenderWritesToStandardOutputWhatItWritesToAFile) {
  std::vector<std::string> words = render(path("a.wav"));
  ASSERT_EQ(mambo(words).code, 0);
  const std::string file = bytes_of(path("a.wav"));
  for (const char* target : {"-", "/dev/stdout"}) {
    const Outcome o = mambo(render(target), "cd " + folder.path().string());
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_TRUE(o.out == file) << target;
    EXPECT_NE(o.err.find("0.50 s"), std::string::npos) << "the line about the file: " << o.err;
  }
  words = render("-");
  words.insert(words.end(), {"--format", "raw"});
  const Outcome raw = mambo(words);
  EXPECT_EQ(raw.code, 0) << raw.err;
  EXPECT_TRUE(raw.out == file.substr(file.size() - 16000));
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.json", "a.wav", "pipe", "tone.wav"}))
      << "a file or folder named -, or a recipe of no file";
}

TEST_F(SoundStreams, RenderPutsJsonWhereItDoesNotMix) {
  std::vector<std::string> words = render("-");
  words.emplace_back("--json");
  const Outcome o = mambo(words);
  EXPECT_EQ(o.code, 0) << o.err;
  const auto json = nlohmann::json::parse(o.err);
  EXPECT_EQ(json.at("files").at(0), "-");
  EXPECT_EQ(json.at("recipe").at("samples"), 8000);
  EXPECT_EQ(o.out.substr(0, 4), "RIFF");
  words = render(pipe);
  words.emplace_back("--json");
  auto out = read_pipe();
  const Outcome piped = mambo(words);
  EXPECT_EQ(piped.json().at("files").at(0), pipe);
  EXPECT_TRUE(out.get() == o.out);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(SoundStreams, RenderToPipesTakesOneSoundAndWavOrRaw) {
  const std::vector<std::vector<std::string>> cases = {
      {"--count", "2"}, {"--stems"}, {"--format", "flac"}};
  for (const auto& more : cases) {
    std::vector<std::string> words = render("-");
    words.insert(words.end(), more.begin(), more.end());
    const Outcome o = mambo(words);
    EXPECT_EQ(o.code, 2) << more.front();
    EXPECT_EQ(o.out, "");
    expect_one_line(o.err);
  }
  std::vector<std::string> words = render(path("a.wav"));
  words.insert(words.end(), {"--format", "raw"});
  EXPECT_EQ(mambo(words).code, 2);
  const Outcome full = mambo(render("/dev/full"));
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("cannot write more to /dev/full: No space left"), std::string::npos)
      << full.err;
}

TEST_F(SoundStreams, RenderEndsWhenItsReaderHasGone) {
  std::vector<std::string> words = render(pipe);
  words[6] = "20000";
  const pid_t pid = testing::start_mambo(words, folder / "out", folder / "err");
  const int reader = ::open(pipe.c_str(), O_RDONLY);
  char first = 0;
  EXPECT_EQ(::read(reader, &first, 1), 1);
  EXPECT_EQ(first, 'R');
  ::close(reader);
  EXPECT_EQ(testing::wait_for(pid), 1);
  EXPECT_NE(bytes_of(folder / "err").find("pipe: Broken pipe"), std::string::npos)
      << bytes_of(folder / "err");
}

TEST_F(SoundStreams, AClipMayComeByStandardInput) {
  ASSERT_EQ(mambo(render(path("a.wav"))).code, 0);
  const std::string file = bytes_of(path("a.wav"));
  std::vector<std::string> words = render("-");
  words[4] = "-";
  for (const std::string& from :
       {"exec <" + clip, "cat " + clip + " >" + pipe + " & exec <" + pipe}) {
    const Outcome o = mambo(words, from);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_TRUE(o.out == file) << from;
  }
  const auto bits = [&](const std::string& audio, const std::string& setup) {
    return mambo({"eval", "-m", small_model(), "-a", audio, "--json"}, setup)
        .json()
        .at("bits_per_sample");
  };
  EXPECT_EQ(bits("-", "exec <" + clip), bits(clip, ""));
  const Outcome probe = mambo({"probe", "-m", small_model(), "-a", "-", "--to", "0.05", "-o",
                               path("p.safetensors"), "--no-logits"},
                              "exec <" + clip);
  EXPECT_EQ(probe.code, 0) << probe.err;
  const Outcome none = mambo(words, "exec </dev/null");
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("standard input: expected a sound file"), std::string::npos) << none.err;
  expect_one_line(none.err);
  // It is an input like any other.
  words = render(clip);
  words[4] = "-";
  words.emplace_back("--force");
  const std::string sound = bytes_of(clip);
  EXPECT_EQ(mambo(words, "exec <" + clip).code, 1);
  EXPECT_TRUE(bytes_of(clip) == sound);
}

TEST_F(SoundStreams, ARecipeOfAClipThatCameByStandardInputAsksForIt) {
  std::vector<std::string> words = render(path("a.wav"));
  words[4] = "-";
  ASSERT_EQ(mambo(words, "exec <" + clip).code, 0);
  const Outcome o = mambo({"render", "--recipe", path("a.json"), "-o", path("b.wav")});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("standard input: name it with --seed-clip"), std::string::npos) << o.err;
  const Outcome again =
      mambo({"render", "--recipe", path("a.json"), "-s", clip, "-o", path("b.wav")});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("bit for bit the file"), std::string::npos) << again.err;
}

}  // namespace
}  // namespace mambo
