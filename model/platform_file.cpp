#include "model/platform_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

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

}  // namespace mambo
