// A few thousand damaged model files, always the same ones: loading each gives a model or an Error,
// never a crash, a hang or an unbounded allocation. The sanitizer builds run this too.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_load.h"
#include "tests/model/temp_folder.h"
#include "tests/model/tiny_model.h"

namespace mambo {
namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

// Numbers at which sizes overflow, and pieces of JSON in place of a value.
constexpr std::array numbers = {"0",
                                "1",
                                "-1",
                                "2",
                                "7",
                                "65535",
                                "2147483647",
                                "2147483648",
                                "4294967295",
                                "4294967296",
                                "9223372036854775807",
                                "9223372036854775808",
                                "18446744073709551615",
                                "18446744073709551616",
                                "1e308",
                                "1e999",
                                "0.5",
                                "-0",
                                "NaN",
                                "null",
                                "[]",
                                "{}",
                                "\"8\"",
                                "[[[[[[[[",
                                "true"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string mutate(std::string text) {
    const std::size_t times = 1 + below(3);
    for (std::size_t i = 0; i < times && !text.empty(); ++i) once(text);
    return text;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  void once(std::string& text) {
    switch (below(7)) {
      case 0:  // a bit
        text[below(text.size())] ^= static_cast<char>(1U << below(8));
        break;
      case 1:  // any byte
        text.insert(below(text.size()), 1, static_cast<char>(below(256)));
        break;
      case 2:  // remove a block
        text.erase(below(text.size()), 1 + below(20));
        break;
      case 3:  // repeat a block
        text.insert(below(text.size()), text.substr(below(text.size()), 1 + below(60)));
        break;
      default:
        replace_number(text);
    }
  }
  void replace_number(std::string& text) {
    constexpr std::string_view digits = "0123456789";
    std::size_t at = text.find_first_of(digits, below(text.size()));
    if (at == std::string::npos) return;
    const std::size_t end = text.find_first_not_of(digits, at);
    text.replace(at, (end == std::string::npos ? text.size() : end) - at,
                 numbers[below(numbers.size())]);
  }

  std::mt19937_64 random_;  // its sequence is fixed by the standard
};

struct Parts {
  std::string header, data;
};

Parts split(const std::string& file) {
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length * 256 + static_cast<unsigned char>(file[i]);
  return {file.substr(8, length), file.substr(8 + length)};
}

std::string join(const std::string& header, const std::string& data) {
  std::string out;
  for (unsigned i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}

class Mutations : public ::testing::Test {
 protected:
  void SetUp() override {
    tiny.write(folder / "tiny.safetensors");
    file = testing::read_file(folder / "tiny.safetensors");
    ASSERT_TRUE(fuzz::load(bytes_of(file)));  // the harness finds a model where there is one
  }
  testing::TempFolder folder;
  testing::TinyModel tiny;
  std::string file;
};

TEST_F(Mutations, OfTheHeader) {
  Mutator mutator(1);
  const Parts parts = split(file);
  int whole = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string bytes = join(mutator.mutate(parts.header), parts.data);
    if (fuzz::load(bytes_of(bytes))) ++whole;
  }
  EXPECT_LT(whole, 1000);  // most damage is noticed; some (a digit of the name) is harmless
}

TEST_F(Mutations, OfATimeInvariantModelsHeader) {
  tiny.use_s4d();
  tiny.write(folder / "s4d.safetensors");
  const Parts parts = split(testing::read_file(folder / "s4d.safetensors"));
  ASSERT_TRUE(fuzz::load(bytes_of(join(parts.header, parts.data))));
  Mutator mutator(5);
  int whole = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string bytes = join(mutator.mutate(parts.header), parts.data);
    if (fuzz::load(bytes_of(bytes))) ++whole;
  }
  EXPECT_LT(whole, 1000);
}

TEST_F(Mutations, OfTheConfiguration) {
  Mutator mutator(2);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = mutator.mutate(tiny.config);
    fuzz::parse_configs(bytes_of(text));
    if (i % 8 != 0) continue;
    testing::TinyModel other = tiny;  // the writer escapes it, so that it reaches the builder
    other.config = text;
    other.write(folder / "other.safetensors");
    fuzz::load(bytes_of(testing::read_file(folder / "other.safetensors")));
  }
}

TEST_F(Mutations, OfAnEcosystemConfiguration) {
  Mutator mutator(3);
  const std::string text =
      testing::read_file(std::string(MAMBO_TEST_DATA) + "/hf-flat/config.json");
  ASSERT_FALSE(text.empty());
  for (int i = 0; i < 4000; ++i) fuzz::parse_configs(bytes_of(mutator.mutate(text)));
}

TEST_F(Mutations, OfLengthAndEnd) {
  Mutator mutator(4);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = file;
    for (std::size_t k = 0; k <= mutator.below(3); ++k) {
      bytes[mutator.below(8)] = static_cast<char>(mutator.below(256));
    }
    fuzz::load(bytes_of(bytes));
    const std::string cut = file.substr(0, mutator.below(file.size()));
    EXPECT_FALSE(fuzz::load(bytes_of(cut)));
  }
}

}  // namespace
}  // namespace mambo
