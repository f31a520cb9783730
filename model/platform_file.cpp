#include "model/platform_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace mambo {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

struct Descriptor {
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

}  // namespace

Mapping map_file(const std::filesystem::path& path) {
  // Non-blocking, so that a pipe is refused below instead of waited for.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) throw Error(path.string() + ": cannot open: " + reason(errno));
  struct stat info = {};
  if (::fstat(file.fd, &info) != 0) {
    throw Error(path.string() + ": cannot read: " + reason(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(path.string() + ": expected a file, found " +
                (S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe"));
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return {};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) {
    throw Error(path.string() + ": cannot map " + std::to_string(size) +
                " bytes: " + reason(errno));
  }
  Mapping m;
  m.owner = std::shared_ptr<const void>(
      address, [size](const void* a) { ::munmap(const_cast<void*>(a), size); });
  m.bytes = {static_cast<const std::byte*>(address), size};
  return m;
}

AsideFile::AsideFile(std::filesystem::path path) : path_(std::move(path)) {
  // Unique within the process and, by its number, between processes: two writers of one name do not
  // mix, the last to finish wins.
  static std::atomic<unsigned> counter{0};
  aside_ = path_;
  std::string suffix(".");
  suffix += std::to_string(::getpid());
  suffix += '-';
  suffix += std::to_string(counter++);
  aside_ += suffix + ".part";
  fd_ = ::open(aside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) throw Error(path_.string() + ": cannot write there: " + reason(errno));
}

AsideFile::~AsideFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(aside_.c_str());
  }
}

void AsideFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      fail("cannot write", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void AsideFile::commit() {
  if (::fsync(fd_) != 0) fail("cannot write", errno);
  if (::rename(aside_.c_str(), path_.c_str()) != 0) fail("cannot put the file in place", errno);
  ::close(fd_);
  fd_ = -1;
}

void AsideFile::fail(const char* what, int error) const {
  throw Error(path_.string() + ": " + what + ": " + reason(error));
}

}  // namespace mambo
