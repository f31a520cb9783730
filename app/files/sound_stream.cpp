#include "app/files/sound_stream.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr int patience_ms = 100;  // between questions whether to stop

[[noreturn]] void fail(const fs::path& path, int error) {
  throw Error(fmt::format("cannot write to {}: {}", stream_name(path),
                          std::generic_category().message(error)));
}

// Opens a pipe once it has a reader. -1 with errno; EINTR: stopped.
int open_node(const fs::path& path, const std::function<bool()>& stop) {
  for (;;) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 || errno != ENXIO) return fd;
    if (stop && stop()) {
      errno = EINTR;
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(patience_ms));
  }
}

void put_u32(std::byte* at, std::uint64_t value) {
  const auto most = std::uint64_t{std::numeric_limits<std::uint32_t>::max()};
  const auto v = static_cast<std::uint32_t>(std::min(value, most));
  for (unsigned i = 0; i < 4; ++i) at[i] = static_cast<std::byte>(v >> (8 * i));
}

std::uint32_t get_u32(const std::byte* at) {
  std::uint32_t v = 0;
  for (unsigned i = 0; i < 4; ++i) v |= std::to_integer<std::uint32_t>(at[i]) << (8 * i);
  return v;
}

}  // namespace

SoundStream::SoundStream(fs::path path, std::function<bool()> stop)
    : path_(std::move(path)), stop_(std::move(stop)) {
  expect_sound_stream(path_);
  if (is_standard_output(path_)) {
    fd_ = STDOUT_FILENO;
  } else {
    fd_ = open_node(path_, stop_);
    if (fd_ < 0 && errno != EINTR) fail(path_, errno);
    owns_fd_ = fd_ >= 0;
    stopped_ = fd_ < 0;
  }
  struct stat status {};
  if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    const int flags = ::fcntl(fd_, F_GETFL);
    if (flags >= 0 && (flags & O_APPEND) == 0) file_start_ = ::lseek(fd_, 0, SEEK_CUR);
  }
}

SoundStream::~SoundStream() { close(); }

void SoundStream::close() {
  if (owns_fd_) ::close(fd_);
  owns_fd_ = false;
  fd_ = -1;
}

SF_VIRTUAL_IO& SoundStream::io() {
  static SF_VIRTUAL_IO all = [] {
    SF_VIRTUAL_IO calls{};
    calls.get_filelen = [](void* self) { return static_cast<SoundStream*>(self)->end_; };
    calls.seek = &SoundStream::seek;
    calls.read = [](void*, sf_count_t, void*) { return sf_count_t{0}; };
    calls.write = &SoundStream::write;
    calls.tell = [](void* self) { return static_cast<SoundStream*>(self)->at_; };
    return calls;
  }();
  return all;
}

sf_count_t SoundStream::seek(sf_count_t offset, int whence, void* self) {
  auto& stream = *static_cast<SoundStream*>(self);
  if (whence == SEEK_CUR) offset += stream.at_;
  if (whence == SEEK_END) offset += stream.end_;
  return stream.at_ = std::clamp(offset, sf_count_t{0}, stream.end_);
}

sf_count_t SoundStream::write(const void* data, sf_count_t count, void* self) {
  auto& stream = *static_cast<SoundStream*>(self);
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data),
                                         static_cast<std::size_t>(count));
  if (!stream.begun_) {
    const auto at = static_cast<std::size_t>(stream.at_);
    stream.header_.resize(std::max(stream.header_.size(), at + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), stream.header_.begin() + stream.at_);
  } else if (stream.at_ == stream.end_ && !stream.send(bytes)) {
    return 0;
  }  // else the header once more, at the close
  stream.at_ += count;
  stream.end_ = std::max(stream.end_, stream.at_);
  return count;
}

bool SoundStream::wait_for_room() {
  for (;;) {
    pollfd end{fd_, POLLOUT, 0};
    const int ready = ::poll(&end, 1, patience_ms);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (stop_ && stop_()) {
      stopped_ = true;
      errno = ECANCELED;
      return false;
    }
  }
}

// No more than PIPE_BUF at once: a pipe that is ready takes that without waiting.
bool SoundStream::send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (stopped_ || !wait_for_room()) break;
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), PIPE_BUF));
    const ssize_t n = ::write(fd_, piece.data(), piece.size());
    if (n < 0 && errno != EINTR && errno != EAGAIN) break;
    if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  if (bytes.empty()) return true;
  error_ = stopped_ ? ECANCELED : errno;
  return false;
}

// RIFF: chunks of four letters, a size and that many bytes, rounded up to two, in a chunk of all.
void SoundStream::set_sizes(std::uint64_t data_bytes, std::uint64_t frames) {
  constexpr std::uint64_t unknown = std::numeric_limits<std::uint32_t>::max();
  if (header_.size() < 12 || std::memcmp(header_.data(), "RIFF", 4) != 0) return;
  for (std::size_t at = 12; at + 8 <= header_.size();) {
    std::byte* chunk = header_.data() + at;
    if (std::memcmp(chunk, "data", 4) == 0) {
      const std::uint64_t all = at + data_bytes + data_bytes % 2;
      put_u32(chunk + 4, data_bytes == 0 ? unknown : data_bytes);
      put_u32(header_.data() + 4, data_bytes == 0 ? unknown : all);
      return;
    }
    if (std::memcmp(chunk, "fact", 4) == 0 && at + 12 <= header_.size()) {
      put_u32(chunk + 8, data_bytes == 0 ? unknown : frames);
    }
    const std::uint32_t size = get_u32(chunk + 4);
    at += 8 + std::size_t{size} + size % 2;
  }
}

void SoundStream::begin(std::uint64_t data_bytes, std::uint64_t frames) {
  if (begun_) return;
  begun_ = true;
  promised_ = data_bytes;
  set_sizes(data_bytes, frames);
  send(header_);
}

void SoundStream::end(std::uint64_t data_bytes, std::uint64_t frames) {
  if (!begun_ || file_start_ < 0 || promised_ == data_bytes) return;
  set_sizes(data_bytes, frames);
  // The sizes lie before the sound, the rest is as it was.
  std::size_t left = header_.size();
  const std::byte* from = header_.data();
  for (off_t at = file_start_; left > 0;) {
    const ssize_t n = ::pwrite(fd_, from, left, at);
    if (n < 0) fail(path_, errno);
    from += n;
    at += n;
    left -= static_cast<std::size_t>(n);
  }
}

bool is_standard_output(const fs::path& path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

bool is_sound_stream(const fs::path& path) {
  if (is_standard_output(path)) return true;
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
}

void expect_sound_stream(const fs::path& path) {
  if (!is_standard_output(path)) {
    if (::access(path.c_str(), W_OK) != 0) fail(path, errno);
    return;
  }
  if (::isatty(STDOUT_FILENO) != 0) {
    throw Error("expected a pipe or a file as standard output, found a terminal");
  }
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) fail(path, EBADF);
}

std::string stream_name(const fs::path& path) {
  return path == "-" ? "standard output" : path.string();
}

}  // namespace mambo
