#include "model/platform_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace mambo {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

constexpr std::size_t block_bytes = 1U << 22U;  // between looks at progress: a millisecond

}  // namespace

std::string why_missing(const std::filesystem::path& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0) return {};
  const int error = errno;
  return error == ENOENT ? "no such file or folder" : "cannot be reached: " + reason(error);
}

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  // Non-blocking, so that a pipe is refused below instead of waited for.
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) throw Error(path_.string() + ": cannot open: " + reason(errno));
  struct stat info = {};
  std::string problem;
  if (::fstat(fd_, &info) != 0) {
    problem = "cannot read: " + reason(errno);
  } else if (!S_ISREG(info.st_mode)) {
    problem = std::string("expected a file, found ") +
              (S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  }
  if (!problem.empty()) {
    ::close(fd_);
    throw Error(path_.string() + ": " + problem);
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

InputFile::~InputFile() { ::close(fd_); }

std::size_t InputFile::read(std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(fd_, bytes.data() + done, bytes.size() - done);
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      throw Error(path_.string() + ": cannot read: " + reason(errno));
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

FileBytes room_for(const std::filesystem::path& path, std::uint64_t size) {
  FileBytes room;
  try {
    room.owner.reset(new std::byte[size]);  // not zeroed: no page is there before it is filled
  } catch (const std::bad_alloc&) {
    throw Error(path.string() + ": there is not enough memory for its " + std::to_string(size) +
                " bytes");
  }
  room.bytes = {room.owner.get(), static_cast<std::size_t>(size)};
  return room;
}

void fill(const FileBytes& room, std::uint64_t from, InputFile& file,
          const std::filesystem::path& path, const LoadProgress& progress) {
  const auto size = room.bytes.size();
  for (auto at = static_cast<std::size_t>(from); at < size;) {
    const std::size_t wanted = std::min(block_bytes, size - at);
    const std::size_t got = file.read(room.bytes.subspan(at, wanted));
    if (got < wanted) {
      throw Error(path.string() + ": expected " + std::to_string(size) + " bytes, found only " +
                  std::to_string(at + got) + ": it became shorter while it was read");
    }
    at += got;
    tell(progress, static_cast<double>(at) / static_cast<double>(size));
  }
}

FileBytes load_bytes(const std::filesystem::path& path, std::uint64_t most) {
  InputFile file(path);
  if (file.size() > most) {
    throw Error(path.string() + ": expected a file of at most " + std::to_string(most) +
                " bytes, found " + std::to_string(file.size()));
  }
  FileBytes whole = room_for(path, file.size());
  fill(whole, 0, file, path);
  return whole;
}

}  // namespace mambo
