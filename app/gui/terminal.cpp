#include "app/gui/terminal.h"

#include <unistd.h>

namespace mambo::gui {
namespace {

int terminal() {
  static const int own = dup(STDERR_FILENO);
  return own;
}

}  // namespace

void remember_terminal() { terminal(); }

void print_to_terminal(const std::string& line) {
  const std::string whole = "mambo: " + line + "\n";
  // A closed pipe: there is no reader to miss it.
  [[maybe_unused]] const auto written = write(terminal(), whole.data(), whole.size());
}

}  // namespace mambo::gui
