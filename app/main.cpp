// mambo. With a window or without, what is asked for is found out by app/cli.
#include <cstddef>

#include "app/cli/command_line.h"
#if MAMBO_HAS_GUI
#include "app/gui/window.h"
#endif

namespace {

#if MAMBO_HAS_GUI
int open_window(const mambo::GuiCommand& asked) {
  mambo::GuiOptions options;
  options.model = asked.model.string();
  options.load = asked.load;
  options.seed_clip = asked.seed_clip.string();
  options.device = asked.device;
  options.input = asked.input;
  options.backend = asked.backend;
  options.engine = asked.engine;
  options.controls = asked.controls;
  options.screenshot = asked.screenshot.string();
  options.force = asked.force;
  options.after_s = asked.after_s;
  options.width = asked.width;
  options.height = asked.height;
  options.interrupted = asked.interrupted;
  return mambo::run_gui(options);
}
constexpr auto* window = &open_window;
#else
constexpr std::nullptr_t window = nullptr;
#endif

}  // namespace

int main(int argc, char** argv) { return mambo::run_command_line(argc, argv, window); }
