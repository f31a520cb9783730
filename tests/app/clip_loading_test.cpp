// Clips of strangers: long ones, damaged ones, ones that lie about themselves.
#include <gtest/gtest.h>
#include <sndfile.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/live/program_loader.h"
#include "kernels/engine.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
using testing::Folder;
using testing::tone;
using testing::write_sound;

std::string refusal(const fs::path& path, const Stretch& stretch = {}) {
  try {
    load_clip_codes(path, 16000, Encoding::mulaw8, stretch);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// Silence: hours of it are a few hundred kilobytes of FLAC.
void write_silence(const fs::path& path, double seconds, int rate) {
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = 1;
  info.format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr);
  const std::vector<short> block(1U << 16U);
  auto left = static_cast<sf_count_t>(seconds * rate);
  while (left > 0) {
    const sf_count_t n = std::min<sf_count_t>(left, static_cast<sf_count_t>(block.size()));
    ASSERT_EQ(sf_writef_short(file, block.data(), n), n);
    left -= n;
  }
  sf_close(file);
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string wav(std::uint32_t length, const std::string& sound, const std::string& tail = "") {
  const auto number = [](std::uint32_t n) {
    std::string out(4, '\0');
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<char>(n >> (8 * i));
    return out;
  };
  const std::string format("\x10\0\0\0\1\0\1\0\x80\x3E\0\0\0\x7D\0\0\2\0\x10\0",
                           20);  // 16 kHz, mono
  return "RIFF" + number(36 + length) + "WAVEfmt " + format + "data" + number(length) + sound +
         tail;
}

fs::path write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(ClipLoading, GivesTheCodesOfTheStretchWhateverIsReadBesideIt) {
  const Folder folder;
  for (const int rate : {16000, 44100, 8000}) {
    write_sound(folder / "a.wav", tone(3, rate), SF_FORMAT_WAV | SF_FORMAT_FLOAT);
    const auto all = encode(load_clip(folder / "a.wav", 16000).samples, Encoding::mulaw8);
    const auto codes = [&](double from, double to) {
      return load_clip_codes(folder / "a.wav", 16000, Encoding::mulaw8, {from, to}).codes;
    };
    EXPECT_EQ(codes(0, 0), all);
    EXPECT_EQ(codes(0, 99), all);
    EXPECT_EQ(codes(0.5, 1.25), std::vector(all.begin() + 8000, all.begin() + 20000));
    EXPECT_EQ(codes(2.5, 0), std::vector(all.begin() + 40000, all.end()));
    EXPECT_NE(refusal(folder / "a.wav", {5, 6}).find("expected a stretch inside its 3.000 s"),
              std::string::npos);
  }
}

TEST(ClipLoading, OfHoursTakesTheMemoryOfWhatIsKept) {
  const Folder folder;
  write_silence(folder / "long.flac", 7200, 16000);
  EXPECT_LT(fs::file_size(folder / "long.flac"), 2'000'000U);
  const std::size_t before = resident_bytes();
  std::size_t most = 0;
  double last = 0;
  const auto look = [&](double share) {
    EXPECT_GE(share, last);
    last = share;
    most = std::max(most, resident_bytes());
    return true;
  };
  const ClipCodes clip =
      load_clip_codes(folder / "long.flac", 16000, Encoding::mulaw8, {7000, 7001}, look);
  EXPECT_EQ(clip.codes.size(), 16000U);
  EXPECT_GT(last, 0.9);
  EXPECT_LT(most, before + (200U << 20U)) << "all of its samples would be 460 MB";
}

TEST(ClipLoading, LongerThanTheBoundIsRefusedAtOnceAndItsPartsAreNot) {
  const Folder folder;
  write_silence(folder / "long.flac", 10 * 3600, 100);
  const std::string said = refusal(folder / "long.flac");
  EXPECT_NE(said.find("expected a clip of at most 4 hours 39 minutes at 16000 Hz, found a longer "
                      "one: take a part of it (--from, --to)"),
            std::string::npos)
      << said;
  EXPECT_EQ(load_clip_codes(folder / "long.flac", 16000, Encoding::mulaw8, {1, 2}).codes.size(),
            16000U);
}

TEST(ClipLoading, IsCancelledBetweenTwoBlocks) {
  const Folder folder;
  write_silence(folder / "long.flac", 600, 16000);
  int asked = 0;
  const auto no = [&](double) {
    ++asked;
    return false;
  };
  EXPECT_THROW(load_clip_codes(folder / "long.flac", 16000, Encoding::mulaw8, {}, no), Cancelled);
  EXPECT_THROW(load_clip(folder / "long.flac", 16000, no), Cancelled);
  EXPECT_EQ(asked, 2);
}

// What closing the window while something loads comes down to.
TEST(ClipLoading, OfTheLoaderIsCancelledByItsReport) {
  const Folder folder;
  write_silence(folder / "long.flac", 600, 16000);
  const auto model = Model::load(testing::small_model());
  std::shared_ptr<const Engine> engine = make_engine(model->network(), "cpu", {}, nullptr);
  SessionOptions options;
  int reports = 0;
  const ProgramLoader loader(options, [&](Activity what, float share) {
    ++reports;
    return what != Activity::loading_clip || share == 0;
  });
  EXPECT_THROW(loader.prepare(model, engine, folder / "long.flac", -1), Cancelled);
  EXPECT_LE(reports, 3);
  const ProgramLoader closed(options, [&](Activity, float) { return false; });
  EXPECT_THROW(closed.open(testing::small_model(), {}), Cancelled);
}

TEST(ClipLoading, SoundBeyondWhatTheHeaderSaysIsNotLostSilently) {
  const Folder folder;
  const std::string sound(200'000, '\x11');
  const auto said = [&](const std::string& bytes) {
    return refusal(write_bytes(folder / "a.wav", bytes));
  };
  EXPECT_NE(said(wav(4000, sound))
                .find("its header says 4000 bytes of sound, but 196000 bytes "
                      "follow them"),
            std::string::npos);
  EXPECT_NE(said(wav(0, sound)).find("its header says 0 bytes of sound, but 200000 bytes follow"),
            std::string::npos);
  EXPECT_NE(said(wav(4000, std::string(32'000, '\x11'))).find("but 28000 bytes follow them"),
            std::string::npos);
  const std::string fact("LIST\4\0\0\0abcd", 12);
  EXPECT_EQ(said(wav(4000, sound.substr(0, 4000), fact)), "no error") << "another chunk";
  EXPECT_EQ(said(wav(4000, sound.substr(0, 4000), std::string(128, '\0'))), "no error")
      << "padding";
  EXPECT_EQ(said(wav(0xFFFFFFFF, sound)), "no error") << "a stream, of unknown length";
  EXPECT_EQ(said(wav(300'000, sound)), "no error") << "cut off";
  // 4 GB and a quarter of a second: the length has wrapped around.
  write_bytes(folder / "a.wav", wav(8000, sound));
  fs::resize_file(folder / "a.wav", 44 + (1ULL << 32U) + 8000);
  EXPECT_NE(refusal(folder / "a.wav").find("but 4294967296 bytes follow them"), std::string::npos);
  std::string aiff(
      "FORM\0\0\0\x2E"
      "AIFFCOMM\0\0\0\x12\0\1\0\0\0\0\0\x10\x40\x0C\xFA\0\0\0\0\0\0\0"
      "SSND\0\0\0\x08\0\0\0\0\0\0\0\0",
      54);
  write_bytes(folder / "a.aiff", aiff + sound);
  EXPECT_NE(refusal(folder / "a.aiff").find("but 200000 bytes follow them"), std::string::npos)
      << refusal(folder / "a.aiff");
}

TEST(ClipLoading, SaysWhatIsWrongInItsOwnWordsAndNothingElse) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "hello world ";
  std::string junk;
  for (unsigned i = 0; i < 100'000; ++i) junk += static_cast<char>(i * 2654435761U >> 24U);
  write_sound(folder / "one.wav", {192000, 1, {0.5F}, {}}, SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  std::string no_rate = wav(4000, std::string(4000, '\1'));
  no_rate.replace(24, 4, 4, '\0');
  std::string odd_format = wav(4000, std::string(4000, '\1'));
  odd_format.replace(20, 2, "\x77\x77");
  fs::create_symlink(folder / "loop.wav", folder / "loop.wav");
  const std::pair<fs::path, const char*> cases[] = {
      {folder / "one.wav", "expected one sample of 16000 Hz at least, found 1 of 192000 Hz"},
      {write_bytes(folder / "none.wav", wav(0, "")),
       "expected sound, found a sound file without samples"},
      {write_bytes(folder / "no-rate.wav", no_rate), "expected a sound file (WAV, FLAC"},
      {write_bytes(folder / "odd.wav", odd_format), "expected a sound file (WAV, FLAC"},
      {write_bytes(folder / "text.wav", text), "expected a sound file (WAV, FLAC"},
      {write_bytes(folder / "text.vox", text), "expected a sound file with a header, found none"},
      {write_bytes(folder / "text.gsm", text), "expected a sound file with a header, found none"},
      {write_bytes(folder / "text.au", text), "expected a sound file with a header, found none"},
      {write_bytes(folder / "text.snd", text), "expected a sound file with a header, found none"},
      {write_bytes(folder / "text.mp3", text), "expected a sound file (WAV, FLAC"},
      {write_bytes(folder / "junk.mp3", junk), "expected a sound file (WAV, FLAC"},
      {folder / "none.wav" / "x.wav", "cannot be reached: Not a directory"},
      {folder / "loop.wav", "cannot be reached: Too many levels of symbolic links"},
      {folder / "missing.wav", "no such file or folder"}};
  for (const auto& [path, words] : cases) {
    ::testing::internal::CaptureStderr();
    const std::string said = refusal(path);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << path;
    EXPECT_EQ(said.rfind(path.string() + ": " + words, 0), 0U) << said;
    for (const char* leak : {"SF_INFO", "Internal", "mpg123", "Error in", "chunk", "error"}) {
      EXPECT_EQ(said.find(leak), std::string::npos) << said;
    }
  }
}

}  // namespace
}  // namespace mambo
