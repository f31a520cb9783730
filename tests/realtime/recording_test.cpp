// Recordings on a disk that stalls, and models that there is nothing to hear of.
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "app/live/session.h"
#include "listen.h"
#include "sound_server.h"
#include "tests/model/absurd_model.h"

namespace {
std::atomic<bool> stalled{false};
}  // namespace

// The program's writer asks for room before it writes: here it waits, as for a disk that spins up.
extern "C" int fallocate(int fd, int mode, off_t offset, off_t length) {
  while (stalled) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}

namespace mambo {
namespace {

using testing::bring_up;
using testing::within;
namespace fs = std::filesystem;

class RecordingTest : public ::testing::Test {
 protected:
  void TearDown() override { stalled = false; }
  static SessionOptions options() {
    SessionOptions o;
    o.record_ring = 4096;  // a quarter of a second
    return o;
  }
  bool says(const std::string& part, double seconds = 10) {
    return within(seconds,
                  [&] { return session.status().message.find(part) != std::string::npos; });
  }

  bool records(const fs::path& path, double seconds) {
    return within(10, [&] {
      const SessionStatus s = session.status();
      return s.recording && s.recording_path == path && s.recorded_seconds > seconds;
    });
  }

  testing::SoundWorld world;
  Session session{options()};
};

struct File {
  double seconds = 0;
  std::string comment;
};
File read(const fs::path& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return {};
  const char* comment = sf_get_string(file, SF_STR_COMMENT);
  const File read = {static_cast<double>(info.frames) / info.samplerate,
                     comment != nullptr ? comment : ""};
  sf_close(file);
  return read;
}

TEST_F(RecordingTest, WhatAStallingDiskLosesIsSaidAtOnceAndInTheFile) {
  ASSERT_TRUE(bring_up(session));
  session.play();
  for (const char* name : {"take.wav", "take.flac", "take.ogg"}) {
    SCOPED_TRACE(name);
    const fs::path path = world.folder() / name;
    session.start_recording(path);
    ASSERT_TRUE(records(path, 0.1));
    stalled = true;
    ASSERT_TRUE(says("The disk is too slow: "));
    EXPECT_TRUE(session.status().message_is_error);
    EXPECT_TRUE(session.status().recording);
    stalled = false;
    session.stop_recording();
    ASSERT_TRUE(says("Recorded "));
    const SessionStatus s = session.status();
    EXPECT_TRUE(s.message_is_error);
    EXPECT_NE(s.message.find("are missing: the disk was too slow"), std::string::npos) << s.message;
    EXPECT_GT(s.missing_seconds, 0);
    const File file = read(path);
    EXPECT_NEAR(file.seconds, s.recorded_seconds, 1e-9) << "not what was said";
    EXPECT_NE(file.comment.find("s are missing: the disk was too slow"), std::string::npos)
        << file.comment;
  }
}

TEST_F(RecordingTest, NothingIsReplaced) {
  ASSERT_TRUE(bring_up(session));
  session.play();
  const fs::path path = world.folder() / "take.wav";
  for (int i = 0; i < 3; ++i) {
    session.start_recording(path);
    const std::string name = i == 0 ? "take.wav" : "take-" + std::to_string(i + 1) + ".wav";
    ASSERT_TRUE(records(world.folder() / name, 0.05));
    session.stop_recording();
    ASSERT_TRUE(says(" s to " + (world.folder() / name).string()));
  }
  for (const char* name : {"take.wav", "take-2.wav", "take-3.wav"}) {
    EXPECT_GT(read(world.folder() / name).seconds, 0) << name;
  }
  EXPECT_EQ(read(path).comment.find("missing"), std::string::npos);
}

TEST_F(RecordingTest, OneWithoutASampleLeavesNoFile) {
  ASSERT_TRUE(bring_up(session));  // not playing, and the ring is full
  ASSERT_TRUE(within(5, [&] { return session.status().ring_fill > 0.8; }));
  const fs::path path = world.folder() / "none.wav";
  session.start_recording(path);
  ASSERT_TRUE(says("Recording to "));
  session.stop_recording();
  ASSERT_TRUE(says("Recorded 0.0 s"));
  EXPECT_FALSE(fs::exists(path));
}

// Weights of 3e38 are finite, so the file is read; what they compute is not.
TEST_F(RecordingTest, OfAbsurdWeightsNothingIsHeardAndWhyIsSaid) {
  const fs::path model = world.folder() / "absurd.safetensors";
  testing::copy_with_weights(MAMBO_TEST_DATA "/rand-unet-p4.safetensors", model, "head.weight",
                             3e38F);
  session.open_model(model);
  ASSERT_TRUE(says("Stopped: the model's outputs are "));
  EXPECT_TRUE(session.status().stopped);
  EXPECT_TRUE(session.status().message_is_error);
  EXPECT_EQ(session.status().generated, 0U) << "it was drawn from";
  const std::uint64_t said = session.status().message_id;
  session.again();  // tries once more, and says it once more
  ASSERT_TRUE(within(5, [&] { return session.status().message_id > said; }));
  EXPECT_TRUE(session.status().stopped);
  session.open_model(testing::model_path());
  ASSERT_TRUE(within(20, [&] { return !session.status().stopped; })) << "another model plays";
  session.play();
  EXPECT_TRUE(within(5, [&] { return session.status().generated > 4000; }));
}

}  // namespace
}  // namespace mambo
