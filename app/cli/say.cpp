#include "app/cli/say.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/interrupt.h"

namespace mambo {
namespace {

int first_failure = 0;  // the commands print from one thread

void note_failure() {
  const int error = errno != 0 ? errno : EIO;
  if (first_failure == 0) first_failure = error;
  if (error == EPIPE) interrupt();
}

}  // namespace

void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Opened for the other direction, so that use of it fails
    // as it did.
    ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void write_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void write_output(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) note_failure();
}

int flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0) note_failure();
  return first_failure;
}

std::string json_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace mambo
