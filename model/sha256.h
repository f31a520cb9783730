#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace mambo {

// SHA-256 as 64 hexadecimal digits. About 1 GB/s.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace mambo
