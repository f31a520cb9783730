#include "app/files/free_name.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "kernels/error.h"

namespace mambo {

namespace fs = std::filesystem;

fs::path reserve_free_name(const fs::path& wanted) {
  constexpr int most = 100'000;
  std::error_code ignored;  // opening says it
  if (wanted.has_parent_path()) fs::create_directories(wanted.parent_path(), ignored);
  fs::path path = wanted;
  for (int n = 2; n < most; ++n) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) {
      ::close(fd);
      return path;
    }
    if (errno != EEXIST) {
      throw Error(fmt::format("cannot write {}: {}", path.string(),
                              std::generic_category().message(errno)));
    }
    path = wanted.parent_path() /
           fmt::format("{}-{}{}", wanted.stem().string(), n, wanted.extension().string());
  }
  throw Error(fmt::format("cannot write {}: its name is taken, with every number behind it",
                          wanted.string()));
}

}  // namespace mambo
