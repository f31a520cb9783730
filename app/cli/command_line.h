// The command line: parsed, checked, and handed to the command.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "app/control/choice.h"
#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

// What `mambo gui` was asked for; empty paths mean the last session's or the shipped ones.
struct GuiCommand {
  std::filesystem::path model, seed_clip;
  LoadOptions load;  // what the model does not say itself
  std::string device, input, backend = "auto";
  EngineOptions engine;
  ControlChoice controls;            // else as last time; of the draw: of the first model
  std::filesystem::path screenshot;  // save what the window shows after `after_s`, then leave
  bool force = false;                // the screenshot may replace any file
  double after_s = 5;
  int width = 0, height = 0;  // of the window, in pixels; 0: the last session's
  // Whether Ctrl-C, SIGTERM or SIGHUP asked the window to close. Any thread, wait-free.
  bool (*interrupted)() = nullptr;
};

// Returns the program's exit code: 0, 1 failure, 2 bad usage, 130 interrupted. Errors are one line
// on stderr. gui: empty in a build without the window.
int run_command_line(int argc, const char* const* argv,
                     const std::function<int(const GuiCommand&)>& gui);

}  // namespace mambo
