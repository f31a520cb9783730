#include "app/files/leftover.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

#include "app/control/performance.h"
#include "app/files/audio_file.h"
#include "app/files/free_name.h"
#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::read_sound;

// A program that records two seconds and is killed before it can close the file. alive() is called
// while it still writes.
template <class F>
void record_and_die(const std::filesystem::path& path, const std::string& comment, F alive) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    WriterOptions o;
    o.format = parse_file_format(path.extension().string().substr(1));
    o.comment = comment;
    AudioWriter writer(path, o);
    for (int i = 0; i < 20; ++i) writer.write(testing::tone(0.1, 16000).samples);
    const char done = 1;
    if (::write(ready[1], &done, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(ready[0], &done, 1), 1);
  alive();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Leftover, ARecordingOfAKilledProgramIsFoundAndKept) {
  const Folder folder;
  const auto path = reserve_free_name(folder / "take.wav");
  record_and_die(path, recording_comment("piano"), [&] {
    EXPECT_TRUE(find_leftovers(folder.path()).empty()) << "it is still being written";
  });
  const std::vector<Leftover> found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, path);
  EXPECT_NEAR(found[0].seconds, 2, 1e-9);
  EXPECT_EQ(keep_leftover(found[0]), path);
  const testing::Sound kept = read_sound(path);
  EXPECT_EQ(kept.samples.size(), 32000U);
  EXPECT_EQ(kept.comment.find("mambo, live; model piano"), 0U);
  EXPECT_NEAR(kept.samples[100], testing::tone(0.1, 16000).samples[100], 1e-4);
  const std::string bytes = testing::bytes_of(path);  // sizes that other readers believe
  std::uint32_t riff = 0;
  std::memcpy(&riff, bytes.data() + 4, 4);
  EXPECT_EQ(riff, bytes.size() - 8);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"take.wav"});
}

TEST(Leftover, NothingIsReplacedByOne) {
  const Folder folder;
  const auto path = folder / "take.wav";
  record_and_die(path, recording_comment("piano"), [] {});
  std::ofstream(path) << "another";
  const std::vector<Leftover> found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(keep_leftover(found[0]), folder / "take-2.wav");
  EXPECT_EQ(testing::bytes_of(path), "another");
  EXPECT_EQ(read_sound(folder / "take-2.wav").samples.size(), 32000U);
}

TEST(Leftover, ALongNameIsFoundAgain) {
  const Folder folder;
  const auto path =
      reserve_free_name(folder / "a-model-of-a-long-name-and-a-clip-2026-11-30-235959.wav");
  record_and_die(path, recording_comment("piano"), [] {});
  std::vector<Leftover> found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, path);
  std::filesystem::remove(path);
  found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name.extension(), ".wav");
  EXPECT_GT(read_sound(keep_leftover(found[0])).samples.size(), 31999U);
}

TEST(Leftover, CanBeDeletedWithTheNameThatWasReserved) {
  const Folder folder;
  const auto path = reserve_free_name(folder / "take.wav");
  record_and_die(path, recording_comment("piano"), [] {});
  const std::vector<Leftover> found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  delete_leftover(found[0]);
  EXPECT_TRUE(folder.names().empty());
}

TEST(Leftover, WhatIsNoRecordingIsLeftAlone) {
  const Folder folder;
  record_and_die(folder / "render.wav", "a recipe", [] {});
  std::ofstream(folder / ".note.wav.12-0.part") << "no sound";
  std::ofstream(folder / ".take.wav.part") << "no number";
  EXPECT_TRUE(find_leftovers(folder.path()).empty());
  EXPECT_TRUE(find_leftovers("/nowhere").empty());
}

TEST(Leftover, AFlacFileIsKeptAsFarAsItGoes) {
  const Folder folder;
  record_and_die(folder / "take.flac", recording_comment("piano"), [] {});
  const std::vector<Leftover> found = find_leftovers(folder.path());
  ASSERT_EQ(found.size(), 1U);
  keep_leftover(found[0]);
  const Clip clip = load_clip(folder / "take.flac", 16000);
  EXPECT_GT(clip.seconds(), 1.5);
}

TEST(FreeName, IsTakenAtOnceAndCounts) {
  const Folder folder;
  const auto wanted = folder / "a.b.wav";
  EXPECT_EQ(reserve_free_name(wanted), wanted);
  EXPECT_EQ(reserve_free_name(wanted), folder / "a.b-2.wav");
  EXPECT_EQ(reserve_free_name(wanted), folder / "a.b-3.wav");
  EXPECT_EQ(reserve_free_name(folder / "new/one.wav"), folder / "new/one.wav");
  EXPECT_THROW(reserve_free_name("/proc/none.wav"), Error);
}

}  // namespace
}  // namespace mambo
