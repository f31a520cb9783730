#include "app/files/sound_header.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace mambo {
namespace {

// Bytes after the last chunk that are no chunk: padding and tags of old programs are shorter.
constexpr std::uint64_t junk = 4096;

using Head = std::array<char, 8>;  // of a chunk: its name, its length

class Chunks {
 public:
  explicit Chunks(const std::filesystem::path& path) : file_(path, std::ios::binary) {
    file_.seekg(0, std::ios::end);
    size_ = file_ ? static_cast<std::uint64_t>(file_.tellg()) : 0;
  }
  // Of the chunk at `at`; false: there are not even the bytes of its head.
  bool head(std::uint64_t at, Head& head) {
    if (at + head.size() > size_) return false;
    file_.seekg(static_cast<std::streamoff>(at));
    return static_cast<bool>(file_.read(head.data(), head.size()));
  }
  std::uint64_t size() const { return size_; }

 private:
  std::ifstream file_;
  std::uint64_t size_ = 0;
};

std::string_view name_of(const Head& head) { return {head.data(), 4}; }

std::uint64_t length_of(const Head& head, bool big_endian) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t byte = big_endian ? 4 + i : 7 - i;
    n = n << 8U | static_cast<unsigned char>(head[byte]);
  }
  return n;
}

bool is_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return std::isprint(static_cast<unsigned char>(c)) != 0; });
}

}  // namespace

std::string sound_beyond_header(const std::filesystem::path& path) {
  Chunks chunks(path);
  Head head{};
  if (!chunks.head(0, head)) return {};
  const bool big_endian = name_of(head) != "RIFF";
  if (big_endian && name_of(head) != "RIFX" && name_of(head) != "FORM") return {};
  const std::string_view wanted = name_of(head) == "FORM" ? "SSND" : "data";
  std::uint64_t sound = 0;
  bool found = false;
  std::uint64_t at = 12;
  // A chunk takes eight bytes at least, but a file of nothing else is no sound file.
  for (int n = 0; n < 100'000 && chunks.head(at, head); ++n) {
    const std::uint64_t length = length_of(head, big_endian);
    const std::uint64_t end = at + head.size() + length + length % 2;
    if (!is_name(name_of(head)) || (found && end > chunks.size() + 1)) break;
    if (name_of(head) == wanted) {
      if (length > chunks.size() - at - head.size())
        return {};  // to the file's end, as streams are
      sound = length;
      found = true;
    }
    at = end;
  }
  const std::uint64_t rest = chunks.size() - std::min(at, chunks.size());
  if (!found || (sound > 0 ? rest < junk : rest == 0)) return {};
  return fmt::format(
      "its header says {} bytes of sound, but {} bytes follow them: it was not closed by the "
      "program "
      "that wrote it, or is too long for its format (4 GB); write it anew, for example with sox "
      "--ignore-length",
      sound, rest);
}

}  // namespace mambo
