#include "display.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace mambo::gui {

VirtualDisplay::VirtualDisplay(int width, int height) {
  int ends[2];
  if (pipe(ends) != 0) return;
  const std::string screen = std::to_string(width) + "x" + std::to_string(height) + "x24";
  const std::string number_to = std::to_string(ends[1]);
  process_ = fork();
  if (process_ == 0) {
    close(ends[0]);
    const int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0);
    dup2(nothing, 1);
    dup2(nothing, 2);
    execlp("Xvfb", "Xvfb", "-displayfd", number_to.c_str(), "-screen", "0", screen.c_str(),
           "-nolisten", "tcp", nullptr);
    _exit(127);
  }
  close(ends[1]);
  // It writes the display number once it is ready; if it exits, the pipe closes.
  std::string number;
  pollfd waiting{ends[0], POLLIN, 0};
  char c = 0;
  while (poll(&waiting, 1, 20000) > 0 && read(ends[0], &c, 1) == 1 && c != '\n') number += c;
  close(ends[0]);
  if (!number.empty()) name_ = ":" + number;
}

VirtualDisplay::~VirtualDisplay() {
  if (process_ <= 0) return;
  kill(process_, SIGTERM);
  waitpid(process_, nullptr, 0);
}

}  // namespace mambo::gui
