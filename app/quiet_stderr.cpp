#include "app/quiet_stderr.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

namespace mambo {
namespace {

std::mutex mutex;
int alive = 0;
int saved = -1;  // the true stderr while silenced

}  // namespace

QuietStderr::QuietStderr() {
  const std::lock_guard lock(mutex);
  if (alive++ > 0) return;
  if (std::getenv("MAMBO_VERBOSE") != nullptr) return;  // NOLINT(concurrency-mt-unsafe): no setenv
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  saved = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);  // -1 when stderr is closed: nothing to do
  if (saved >= 0) ::dup2(nowhere, STDERR_FILENO);
  ::close(nowhere);
}

QuietStderr::~QuietStderr() {
  const std::lock_guard lock(mutex);
  if (--alive > 0 || saved < 0) return;
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  saved = -1;
}

}  // namespace mambo
