#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "model/progress.h"

namespace mambo {

// SHA-256 as 64 hexadecimal digits. About 1 GB/s.
std::string sha256_hex(std::span<const std::byte> bytes);
// Of a regular file, a block at a time. Throws Error.
std::string sha256_file(const std::filesystem::path& path, const LoadProgress& progress = {});

}  // namespace mambo
