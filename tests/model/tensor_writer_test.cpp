// Atomic writing: a finished file is read back, an unfinished one leaves nothing.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "model/tensor_file.h"
#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::error_of;
using testing::read_file;
using testing::TempFolder;
using testing::write_file;

std::span<const std::byte> bytes_of(const std::vector<float>& v) {
  return std::as_bytes(std::span(v));
}

TEST(TensorWriter, RoundTripInPieces) {
  const TempFolder folder;
  const auto path = folder / "out.safetensors";
  std::vector<float> rows(30);
  std::iota(rows.begin(), rows.end(), 0.5F);
  const std::vector<float> scalar = {7.0F};
  TensorWriter writer(
      path, {{"rows", DType::f32, {10, 3}}, {"s", DType::f32, {1}}, {"none", DType::u8, {0}}},
      {{"recipe", "{\"a\": \"\\u00e9\"}"}});
  EXPECT_FALSE(std::filesystem::exists(path));  // not under its name before it is whole
  writer.write(1, 0, bytes_of(scalar));
  writer.write(0, 60, bytes_of(rows).subspan(60));
  writer.write(0, 0, bytes_of(rows).first(60));
  writer.finish();

  const TensorFile f = TensorFile::open(path);
  EXPECT_EQ(f.metadata().at("recipe"), "{\"a\": \"\\u00e9\"}");
  EXPECT_EQ(to_float(f.get("rows", {10, 3})), rows);
  EXPECT_EQ(to_float(f.get("s", {1})), scalar);
  EXPECT_EQ(f.tensors().at("none").bytes.size(), 0U);
  EXPECT_EQ((f.tensors().at("rows").bytes.data() - f.all_bytes().data()) % 8, 0);
  EXPECT_EQ(folder.files(), 1U);
}

TEST(TensorWriter, MetadataThatIsNoTextIsStillWritten) {
  const TempFolder folder;
  const auto path = folder / "out.safetensors";
  TensorWriter writer(path, {}, {{"clip", "caf\xe9.wav"}});
  writer.finish();
  EXPECT_EQ(TensorFile::open(path).metadata().at("clip"), "caf\xef\xbf\xbd.wav");
}

TEST(TensorWriter, WithoutFinishNothingIsLeftAndTheOldFileStays) {
  const TempFolder folder;
  const auto path = folder / "out.safetensors";
  write_file(path, "old");
  {
    TensorWriter writer(path, {{"w", DType::f32, {4}}}, {}, Replace::any());
    writer.write(0, 0, bytes_of({1, 2, 3, 4}));
  }
  EXPECT_EQ(folder.files(), 1U);
  EXPECT_EQ(read_file(path), "old");
}

TEST(TensorWriter, RefusesWhatIsNotWholeOrDoesNotFit) {
  const TempFolder folder;
  TensorWriter writer(folder / "x.safetensors", {{"w", DType::f32, {2}}});
  writer.write(0, 0, bytes_of({1}));
  EXPECT_NE(error_of([&] { writer.finish(); }).find("tensor w: expected 8 bytes, found only 4"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              writer.write(0, 4, bytes_of({1, 2}));
            }).find("at most 8 bytes"),
            std::string::npos);
  EXPECT_NE(error_of([&] { writer.write(0, UINT64_MAX, bytes_of({1})); }).find("at most 8 bytes"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              TensorWriter(folder / "y", {{"w", DType::u8, {1}}, {"w", DType::u8, {1}}});
            }).find("found w twice"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              TensorWriter(folder / "z", {{"w", DType::f32, {INT64_MAX, 2}}});
            }).find("a shape that fits"),
            std::string::npos);
}

TEST(TensorWriter, UnwritableFolder) {
  const std::string message = error_of([] { TensorWriter("/proc/x", {{"w", DType::u8, {1}}}); });
  EXPECT_NE(message.find("cannot write /proc/x: "), std::string::npos) << message;
}

// A size limit on files refuses the write as a full disk does, and needs no rights to set up. The
// limit cannot be raised again, so it is set in a child.
TEST(TensorWriter, FullDiskSaysSoAndLeavesNothing) {
  const TempFolder folder;
  const auto path = folder / "big.safetensors";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    bool clear = false;
    try {
      TensorWriter writer(path, {{"w", DType::f32, {10000}}});
      writer.write(0, 0, bytes_of(std::vector<float>(10000)));
      writer.finish();
    } catch (const Error& e) {
      clear = std::strstr(e.what(), "big.safetensors: File too large") != nullptr;
    }
    ::_exit(clear ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(folder.files(), 0U);
}

}  // namespace
}  // namespace mambo
