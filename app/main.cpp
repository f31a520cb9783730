#include <csignal>

#include "app/cli/command_line.h"
#if MAMBO_HAS_GUI
#include "app/gui/window.h"
#endif

int main(int argc, char** argv) {
  // A file that may grow no further is an error to report, not a reason to die.
  std::signal(SIGXFSZ, SIG_IGN);
  std::function<int(const mambo::GuiCommand&)> gui;
  return mambo::run_command_line(argc, argv, gui);
}
