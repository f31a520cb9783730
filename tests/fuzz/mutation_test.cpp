// A few thousand damaged model files, always the same ones: loading each gives a model or an Error,
// never a crash, a hang or an unbounded allocation. The sanitizer builds run this too.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_load.h"
#include "tests/fuzz/mutator.h"
#include "tests/model/temp_folder.h"
#include "tests/model/tiny_model.h"

namespace mambo {
namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

using fuzz::Mutator;

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
