#include "app/files/ogg_pages.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "kernels/error.h"

namespace mambo {
namespace {

// RFC 3533: a page is "OggS", ..., serial at 14, checksum at 22, segment count at 26, segment sizes
// at 27, body. CRC-32 with polynomial 0x04c11db7, not reflected, over the page with the field
// zeroed.
constexpr std::size_t serial_at = 14, checksum_at = 22, count_at = 26, header_bytes = 27;

std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t r = i << 24U;
    for (int bit = 0; bit < 8; ++bit)
      r = (r & 0x80000000U) != 0 ? (r << 1U) ^ 0x04c11db7U : r << 1U;
    table[i] = r;
  }
  return table;
}

void put_u32(std::uint8_t* at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i)
    at[i] = static_cast<std::uint8_t>(v >> (8U * static_cast<unsigned>(i)));
}

}  // namespace

void set_ogg_serial(int fd, std::uint32_t serial) {
  static const std::array<std::uint32_t, 256> table = crc_table();
  std::vector<std::uint8_t> page(header_bytes + 255U + 255U * 255U);
  off_t at = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, page.data(), page.size(), at);
    if (got < 0) throw Error("cannot read back: " + std::generic_category().message(errno));
    const auto have = static_cast<std::size_t>(got);
    if (have < header_bytes || std::memcmp(page.data(), "OggS", 4) != 0) return;
    std::size_t size = header_bytes + page[count_at];
    if (have < size) return;
    for (std::size_t s = 0; s < page[count_at]; ++s) size += page[header_bytes + s];
    if (have < size) return;

    put_u32(&page[serial_at], serial);
    put_u32(&page[checksum_at], 0);
    std::uint32_t crc = 0;
    for (std::size_t i = 0; i < size; ++i) crc = (crc << 8U) ^ table[(crc >> 24U) ^ page[i]];
    put_u32(&page[checksum_at], crc);
    if (::pwrite(fd, page.data(), header_bytes, at) != static_cast<ssize_t>(header_bytes)) {
      throw Error("cannot write: " + std::generic_category().message(errno));
    }
    at += static_cast<off_t>(size);
  }
}

}  // namespace mambo
