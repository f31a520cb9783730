// One function per command: declares its options and examples on `app` and, if the command is
// chosen, stores in `run` what to do after all arguments have been checked.
#pragma once

#include <functional>

#include "app/cli/command_line.h"

namespace CLI {
class App;
}

namespace mambo {

using Run = std::function<int()>;
using GuiRunner = std::function<int(const GuiCommand&)>;

constexpr int exit_interrupted = 130;

// All commands and what they have in common: the whole of the command line.
void declare_commands(CLI::App& app, Run& run, const GuiRunner& gui);

void add_gui(CLI::App& app, Run& run, const GuiRunner& gui);
void add_play(CLI::App& app, Run& run);
void add_render(CLI::App& app, Run& run);
void add_probe(CLI::App& app, Run& run);
void add_eval(CLI::App& app, Run& run);
void add_ablate(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_info(CLI::App& app, Run& run);
void add_devices(CLI::App& app, Run& run);
void add_controls(CLI::App& app, Run& run);

}  // namespace mambo
