// Safetensors files, valid and hostile.
#include "model/tensor_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::error_of;
using testing::TempFolder;
using testing::write_file;

std::string length_bytes(std::uint64_t n) {
  std::string out;
  for (unsigned i = 0; i < 8; ++i) out += static_cast<char>(n >> (8 * i));
  return out;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return length_bytes(header.size()) + header + std::string(data_bytes, '\0');
}

TensorFile parse(const std::string& bytes) {
  return TensorFile::parse(std::as_bytes(std::span(bytes)), "x.safetensors");
}

std::string refusal(const std::string& bytes) {
  const std::string message = error_of([&] { parse(bytes); });
  EXPECT_TRUE(message.starts_with("x.safetensors: ")) << message;
  return message;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

#define EXPECT_SAYS(message, part)                                     \
  do {                                                                 \
    const std::string said = (message);                                \
    EXPECT_NE(said.find(part), std::string::npos) << "said: " << said; \
  } while (false)

TEST(TensorFile, ReadsTensorsAndMetadata) {
  const std::string bytes =
      file_of(R"({"__metadata__":{"k":"v"},"b":)" + entry("F16", "[2,1,3]", "[4,16]") + R"(,"a":)" +
                  entry("F32", "[]", "[0,4]") + "}  ",
              16);
  const TensorFile f = parse(bytes);
  EXPECT_EQ(f.metadata().at("k"), "v");
  EXPECT_EQ(f.file_bytes(), bytes.size());
  const TensorView b = f.get("b", {2, 1, 3});
  EXPECT_EQ(b.dtype, DType::f16);
  EXPECT_EQ(b.rows, 2);
  EXPECT_EQ(b.cols, 3);
  EXPECT_EQ(b.data - f.all_bytes().data(), static_cast<std::ptrdiff_t>(bytes.size()) - 12);
  EXPECT_EQ(f.get("a", {}).size(), 1);
}

TEST(TensorFile, ListsTypesItDoesNotReadAndRefusesToGetThem) {
  const std::string bytes = file_of(R"({"i":)" + entry("I64", "[2]", "[0,16]") + R"(,"q":)" +
                                        entry("F4_NEW", "[5]", "[16,19]") + "}",
                                    19);
  const TensorFile f = parse(bytes);
  EXPECT_EQ(f.tensors().at("i").dtype_name, "I64");
  EXPECT_SAYS(error_of([&] { f.get("i", {2}); }),
              "tensor i: expected F32, F16, BF16 or U8, found I64");
  EXPECT_SAYS(error_of([&] { f.get("q", {5}); }), "found F4_NEW");
}

TEST(TensorFile, GetNamesTensorExpectedAndFound) {
  const std::string bytes = file_of(R"({"w":)" + entry("F32", "[2,3]", "[0,24]") + "}", 24);
  const TensorFile f = parse(bytes);
  EXPECT_SAYS(error_of([&] {
                f.get("w", {3, 2});
              }),
              "tensor w: expected shape [3, 2], found [2, 3]");
  EXPECT_SAYS(error_of([&] { f.get("v", {3}); }), "tensor v: expected [3], found none");
}

TEST(TensorFileHostile, EmptyAndShort) {
  EXPECT_SAYS(refusal(""), "empty file");
  EXPECT_SAYS(refusal("abc"), "only 3 bytes");
}

TEST(TensorFileHostile, HeaderBeyondTheFile) {
  EXPECT_SAYS(refusal(length_bytes(100) + "{}"), "header of 100 bytes reaches beyond");
  EXPECT_SAYS(refusal(length_bytes(UINT64_MAX) + "{}"), "reaches beyond the end of the file");
  EXPECT_SAYS(refusal(length_bytes(UINT64_MAX - 7) + "{}"), "reaches beyond the end of the file");
}

TEST(TensorFileHostile, AnotherKindOfFile) {
  EXPECT_SAYS(refusal("RIFF....WAVEfmt and so on"), "not a safetensors file");
  EXPECT_SAYS(refusal(length_bytes(4) + "abcd"), "begins with {, found a");
  EXPECT_SAYS(refusal(length_bytes(0) + "abcd"), "begins with {, found none");
}

TEST(TensorFileHostile, HeaderTooLarge) {
  // The bytes are never looked at, so a sparse file will do.
  const TempFolder folder;
  const auto path = folder / "big.safetensors";
  write_file(path, length_bytes(100'000'001) + "{}");
  std::filesystem::resize_file(path, 100'000'200);
  EXPECT_SAYS(error_of([&] { TensorFile::open(path); }), "header of at most 16777216 bytes");
}

TEST(TensorFile, NullMetadataIsNone) {
  const std::string bytes =
      file_of(R"({"__metadata__":null,"a":)" + entry("U8", "[2]", "[0,2]") + "}", 2);
  const TensorFile file = parse(bytes);
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_TRUE(file.has("a"));
}

TEST(TensorFile, IsReadWithProgressAndMayBeCancelled) {
  const TempFolder folder;
  const auto path = folder / "a.safetensors";
  constexpr std::size_t n = 10'000'000;
  write_file(path, file_of(R"({"a":)" + entry("U8", "[10000000]", "[0,10000000]") + "}", n));
  std::vector<double> shares;
  const auto note = [&](double share) {
    shares.push_back(share);
    return true;
  };
  EXPECT_EQ(TensorFile::open(path, note).get("a", {n}).size(), static_cast<std::int64_t>(n));
  EXPECT_GE(shares.size(), 3U);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.back(), 1);
  EXPECT_THROW(TensorFile::open(path, [](double) { return false; }), Cancelled);
}

TEST(TensorFile, ShortenedWhileItIsReadOrAfterwardsEndsNoProcess) {
  const TempFolder folder;
  const auto path = folder / "a.safetensors";
  constexpr std::size_t n = 10'000'000;
  const std::string bytes =
      file_of(R"({"a":)" + entry("U8", "[10000000]", "[0,10000000]") + "}", n);
  write_file(path, bytes);
  EXPECT_SAYS(error_of([&] {
                TensorFile::open(path, [&](double) {
                  std::filesystem::resize_file(path, 5'000'000);
                  return true;
                });
              }),
              "became shorter while it was read");
  write_file(path, bytes);
  const TensorFile file = TensorFile::open(path);
  std::filesystem::resize_file(path, 0);
  const TensorView view = file.get("a", {n});
  EXPECT_EQ(std::to_integer<char>(view.data[n - 1]), bytes.back());  // a mapping would be gone
}

TEST(TensorFileHostile, HeaderNotJson) {
  EXPECT_SAYS(refusal(file_of("{\"a\":", 0)), "header: expected JSON");
  EXPECT_SAYS(refusal(file_of("{} x", 0)), "header: expected JSON");
  EXPECT_SAYS(refusal(file_of("{\"\xff\":1}", 0)), "header: expected JSON");
  EXPECT_SAYS(refusal(file_of("{\"a\":" + std::string(100000, '['), 0)), "nested at most 32 deep");
}

TEST(TensorFileHostile, EntriesOfTheWrongKind) {
  EXPECT_SAYS(refusal(file_of(R"({"w":3})", 0)), "tensor w: expected an object, found 3");
  EXPECT_SAYS(refusal(file_of(R"({"w":{}})", 0)), "tensor w: expected the key dtype");
  EXPECT_SAYS(refusal(file_of(R"({"__metadata__":{"k":1}})", 0)), "metadata: k: expected a string");
  EXPECT_SAYS(refusal(file_of(R"({"__metadata__":7})", 0)), "metadata: expected an object");
  EXPECT_SAYS(refusal(file_of(R"({"w":)" + entry("F32", "7", "[0,4]") + "}", 4)), "shape");
  EXPECT_SAYS(refusal(file_of(R"({"w":)" + entry("F32", "[1]", "[0]") + "}", 4)),
              "data_offsets: expected [begin, end], found [0]");
  EXPECT_SAYS(refusal(file_of(R"({"w":)" + entry("F32", "[1]", "[0,4]") + R"(,"w":)" +
                                  entry("F32", "[1]", "[0,4]") + "}",
                              4)),
              "found w twice");
}

TEST(TensorFileHostile, NumbersThatAreNoSizes) {
  const auto with = [](const std::string& shape, const std::string& offsets) {
    return refusal(file_of(R"({"w":)" + entry("F32", shape, offsets) + "}", 8));
  };
  EXPECT_SAYS(with("[-2]", "[0,8]"), "shape: expected an integer");
  EXPECT_SAYS(with("[2.0]", "[0,8]"), "found 2.0");
  EXPECT_SAYS(with("[\"2\"]", "[0,8]"), "found \"2\"");
  EXPECT_SAYS(with("[1e30]", "[0,8]"), "shape");
  EXPECT_SAYS(with("[2]", "[-4,4]"), "data_offsets: begin: expected an integer from 0 to 8");
  EXPECT_SAYS(with("[2]", "[0,8.0]"), "data_offsets: end");
  EXPECT_SAYS(with("[2]", "[0,18446744073709551615]"), "found 18446744073709551615");
}

TEST(TensorFileHostile, SizesThatDoNotMatchOrOverflow) {
  const auto with = [](const std::string& shape) {
    return refusal(file_of(R"({"w":)" + entry("F32", shape, "[0,8]") + "}", 8));
  };
  EXPECT_SAYS(with("[3]"), "expected 12 bytes for F32 [3], found 8");
  // 2^32 * 2^32 = 2^64 = 0, and 2^62 * 4 bytes = 0: both would pass if they wrapped.
  EXPECT_SAYS(with("[4294967296,4294967296]"), "a sane number of bytes");
  EXPECT_SAYS(with("[4611686018427387906]"), "a sane number of bytes");
  EXPECT_SAYS(with("[0,4611686018427387906]"), "expected 0 bytes");
}

TEST(TensorFileHostile, OffsetsOutOfRangeOverlappingOrGaping) {
  const auto two = [](const std::string& a, const std::string& b, std::size_t bytes) {
    return refusal(file_of(
        R"({"a":)" + entry("F32", "[1]", a) + R"(,"b":)" + entry("F32", "[1]", b) + "}", bytes));
  };
  EXPECT_SAYS(two("[0,4]", "[4,8]", 6), "tensor b: data_offsets: end");  // truncated
  EXPECT_SAYS(two("[0,4]", "[8,4]", 8), "data_offsets: end");            // backwards
  EXPECT_SAYS(two("[0,4]", "[2,6]", 6),
              "tensor b: expected its data to begin at 4, found 2 (overlaps");
  EXPECT_SAYS(two("[0,4]", "[0,4]", 4), "overlaps the tensor before");
  EXPECT_SAYS(two("[0,4]", "[6,10]", 10),
              "expected its data to begin at 4, found 6 (leaves a gap)");
  EXPECT_SAYS(two("[0,4]", "[4,8]", 9), "expected 8 bytes of tensors, found 9");
}

TEST(TensorFileOpen, MissingFolderAndPipe) {
  const TempFolder folder;
  EXPECT_SAYS(error_of([&] { TensorFile::open(folder / "none"); }), "No such file");
  EXPECT_SAYS(error_of([&] { TensorFile::open(folder.path()); }),
              "expected a file, found a folder");
  const auto pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_SAYS(error_of([&] { TensorFile::open(pipe); }), "found a device or pipe");
}

TEST(TensorFileOpen, CopiesKeepTheFileMapped) {
  const TempFolder folder;
  const auto path = folder / "a.safetensors";
  write_file(path, file_of(R"({"w":)" + entry("U8", "[3]", "[0,3]") + "}", 0) + "xyz");
  TensorView view;
  TensorFile copy;
  {
    const TensorFile f = TensorFile::open(path);
    copy = f;
  }
  std::filesystem::remove(path);
  view = copy.get("w", {3});
  EXPECT_EQ(std::to_integer<char>(view.data[2]), 'z');
}

}  // namespace
}  // namespace mambo
