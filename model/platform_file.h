// The platform's part of reading and writing model files: a read-only mapping, and a file that is
// written under a temporary name and renamed when complete. POSIX; another system needs only
// another platform_file.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
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

// Created beside `path`; commit() flushes it to the disk and renames it. Without commit it
// vanishes.
class AsideFile {
 public:
  explicit AsideFile(std::filesystem::path path);  // throws Error
  ~AsideFile();
  AsideFile(const AsideFile&) = delete;
  AsideFile& operator=(const AsideFile&) = delete;

  void write(std::uint64_t offset, std::span<const std::byte> bytes);  // throws Error (full disk)
  void commit();                                                       // throws Error

 private:
  [[noreturn]] void fail(const char* what, int error) const;

  std::filesystem::path path_;
  std::filesystem::path aside_;
  int fd_ = -1;
};

}  // namespace mambo
