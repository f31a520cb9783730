#include "app/files/png_file.h"

#include <fmt/core.h>
#include <stb_image_write.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

// The signature and the chunk IHDR, which come first in every PNG file; then ours, a tEXt chunk:
// length, type, keyword, text, CRC-32.
constexpr std::size_t mark_at = 8 + 25;
constexpr std::array<unsigned char, 26> mark = {0,   0,   0,   14,  't',  'E',  'X',  't', 'S',
                                                'o', 'f', 't', 'w', 'a',  'r',  'e',  0,   'm',
                                                'a', 'm', 'b', 'o', 0x80, 0xa3, 0x14, 0x87};

bool is_ours(const fs::path& path) {
  try {
    InputFile file(path);
    std::array<std::byte, mark_at + mark.size()> start{};
    return file.read(start) == start.size() && std::memcmp(start.data() + 1, "PNG", 3) == 0 &&
           std::memcmp(start.data() + mark_at, mark.data(), mark.size()) == 0;
  } catch (const std::exception&) {
    return false;
  }
}

void append(void* to, void* data, int size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  auto& all = *static_cast<std::vector<std::byte>*>(to);
  all.insert(all.end(), bytes, bytes + size);
}

}  // namespace

void write_png(const fs::path& path, int width, int height, int channels,
               std::span<const std::uint8_t> pixels, Replace replace) {
  OutputFile file(path, std::move(replace));
  std::vector<std::byte> png;
  if (stbi_write_png_to_func(append, &png, width, height, channels, pixels.data(),
                             width * channels) == 0 ||
      png.size() < mark_at) {
    throw Error(fmt::format("{}: the picture could not be made", path.string()));
  }
  const std::span<const std::byte> all(png);
  file.write(0, all.first(mark_at));
  file.write(mark_at, std::as_bytes(std::span(mark)));
  file.write(mark_at + mark.size(), all.subspan(mark_at));
  file.commit();
}

Replace replace_png(bool force) { return {is_ours, "mambo", force}; }

}  // namespace mambo
