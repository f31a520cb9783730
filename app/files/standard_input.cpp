#include "app/files/standard_input.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>

#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_bytes = std::uint64_t{4} << 30U;

std::string reason(int error) { return std::generic_category().message(error); }

fs::path name_of(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

int nameless_file() {
  const fs::path folder = fs::temp_directory_path();
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  std::string name = (folder / "mambo-XXXXXX").string();  // a file system without such files
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

void write_all(int fd, const char* from, std::size_t left) {
  while (left > 0) {
    const ssize_t n = ::write(fd, from, left);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error("standard input: cannot be kept: " + reason(errno));
    from += n;
    left -= static_cast<std::size_t>(n);
  }
}

fs::path keep() {
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) != 0) throw Error("standard input: " + reason(errno));
  if (S_ISREG(status.st_mode)) return name_of(STDIN_FILENO);  // < clip.wav
  if (::isatty(STDIN_FILENO) != 0) {
    throw Error("standard input: expected a clip, found a terminal");
  }
  const int fd = nameless_file();  // open until the program ends
  if (fd < 0) throw Error("standard input: cannot be kept: " + reason(errno));
  std::array<char, 65536> block{};
  for (std::uint64_t bytes = 0;;) {
    const ssize_t n = ::read(STDIN_FILENO, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error("standard input: " + reason(errno));
    if (n == 0) return name_of(fd);
    bytes += static_cast<std::uint64_t>(n);
    if (bytes > most_bytes) {
      throw Error(fmt::format("standard input: expected at most {} bytes", most_bytes));
    }
    write_all(fd, block.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

bool is_standard_input(const fs::path& clip) { return clip == "-"; }

fs::path clip_name(const fs::path& clip) {
  return is_standard_input(clip) ? fs::path("standard input") : clip;
}

fs::path readable_path(const fs::path& clip) {
  if (!is_standard_input(clip)) return clip;
  static std::mutex mutex;
  static fs::path kept;
  const std::lock_guard lock(mutex);
  if (kept.empty()) kept = keep();
  return kept;
}

}  // namespace mambo
