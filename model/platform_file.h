// The platform's part of reading files: a read-only mapping. POSIX; another system needs only
// another platform_file.cpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace mambo {

struct Mapping {
  std::shared_ptr<const void> owner;  // unmaps when the last copy goes
  std::span<const std::byte> bytes;
};

// Throws Error when there is no such regular file or it may not be read. An empty file gives no
// bytes. Truncating a file while it is mapped ends the process (SIGBUS); renaming over it is safe.
Mapping map_file(const std::filesystem::path& path);

}  // namespace mambo
