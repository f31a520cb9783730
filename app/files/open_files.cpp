#include "app/files/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace mambo {

std::size_t allow_open_files(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;  // POSIX promises fewer, systems give more
  if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
    rlimit more = limit;
    more.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) limit = more;
  }
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, wanted));
}

}  // namespace mambo
