// The platform's part of reading files: into memory, where no other process changes them. POSIX;
// another system needs only another platform_file.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "model/progress.h"

namespace mambo {

// Why there is no file or folder at `path`, as the end of a sentence ("no such file or folder",
// "cannot be reached: Permission denied"); empty: there is one.
std::string why_missing(const std::filesystem::path& path);

// A regular file, read from its beginning. Read, not mapped: a mapping's pages are gone, and the
// process with them (SIGBUS), when the file is shortened, and change when it is written to.
class InputFile {
 public:
  // Throws Error when there is no such regular file or it may not be read. Never waits (for a
  // pipe).
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::uint64_t size() const { return size_; }  // when it was opened
  // The next bytes; fewer than asked for: the file ends. Throws Error.
  std::size_t read(std::span<std::byte> bytes);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// A file's bytes in memory.
struct FileBytes {
  std::shared_ptr<std::byte[]> owner;  // NOLINT(*-avoid-c-arrays): its size is not known before
  std::span<std::byte> bytes;
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

// Room for `size` bytes of `path`, not yet touched. Throws Error when there is not enough memory.
FileBytes room_for(const std::filesystem::path& path, std::uint64_t size);
// Fills bytes[from, end) with what comes next in the file. Throws Error when it ends before.
void fill(const FileBytes& room, std::uint64_t from, InputFile& file,
          const std::filesystem::path& path, const LoadProgress& progress = {});
// The whole file, of at most `most` bytes; throws Error when it has more.
FileBytes load_bytes(const std::filesystem::path& path, std::uint64_t most);

}  // namespace mambo
