// mambo play: the options; app/cli/play.h plays.
#include "app/cli/commands.h"
#include "app/cli/options.h"
#if __has_include("app/cli/play.h")
#include "app/cli/play.h"
#endif

namespace mambo {

void add_play(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand("play", "play without a window; Ctrl-C stops");
  sub->callback([&run] { run = [] { return 0; }; });
}

}  // namespace mambo
