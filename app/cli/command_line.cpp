#include "app/cli/command_line.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>
#include <system_error>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/say.h"
#include "app/usage_error.h"
#include "app/version.h"
#include "model/message.h"

namespace mambo {
namespace {

// The message as one line. It may quote a file: no control character of that reaches the terminal.
int complain(std::string what, int code) {
  while (!what.empty() && (what.back() == '\n' || what.back() == '.')) what.pop_back();
  std::replace(what.begin(), what.end(), '\n', ' ');
  say("mambo: {}\n", printable(what, what.size()));
  return code;
}

// What a full disk or a closed pipe did not take must not pass for success.
int flushed(int code) {
  const int error = flush_output();
  if (error == 0) return code;
  return complain("cannot write the output: " + std::generic_category().message(error),
                  code != 0 ? code : 1);
}

// --help, --version: what CLI11 would print itself.
int print(const CLI::App& app, const CLI::Success& asked) {
  std::ostringstream text;
  const int code = app.exit(asked, text, text);
  write_output(text.str());
  return code;
}

int parse(CLI::App& app, int argc, const char* const* argv, bool& done) {
  done = true;
  try {
    app.parse(argc, const_cast<char**>(argv));  // CLI11 does not write to it
  } catch (const CLI::CallForHelp& e) {
    return print(app, e);
  } catch (const CLI::CallForAllHelp& e) {
    return print(app, e);
  } catch (const CLI::CallForVersion& e) {
    return print(app, e);
  } catch (const CLI::ParseError& e) {
    std::string command;
    for (const CLI::App* sub : app.get_subcommands()) command = " " + sub->get_name();
    return complain(fmt::format("{} (see mambo{} --help)", e.what(), command), 2);
  }
  done = false;
  return 0;
}

}  // namespace

void declare_commands(CLI::App& app, Run& run, const GuiRunner& gui) {
  app.name("mambo");
  app.description("mambo: an instrument that plays a waveform Mamba");
  app.set_version_flag("--version", std::string("mambo ") + version());
  app.set_help_all_flag("--help-all", "print the help of all commands");
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(34);
  app.footer(
      "\nExamples:\n"
      "  mambo                                  open the window and play\n"
      "  mambo render --seconds 10 -o take.wav  continue the shipped clip into a file\n"
      "  mambo render --help                    what a command can do");
  add_gui(app, run, gui);
  add_play(app, run);
  add_render(app, run);
  add_probe(app, run);
  add_eval(app, run);
  add_ablate(app, run);
  add_bench(app, run);
  add_info(app, run);
  add_devices(app, run);
  add_controls(app, run);
}

int run_command_line(int argc, const char* const* argv, const GuiRunner& gui) {
  hold_standard_streams();
  ignore_write_signals();
  CLI::App app;
  Run run;
  declare_commands(app, run, gui);

  bool done = false;
  try {
    const int code = parse(app, argc, argv, done);
    return flushed(done ? code : run());
  } catch (const Cancelled&) {
    return complain("interrupted", exit_interrupted);
  } catch (const UsageError& e) {
    return complain(e.what(), 2);
  } catch (const DeviceError& e) {
    return complain(fmt::format("{}; --backend cpu does without the GPU", e.what()), 1);
  } catch (const std::exception& e) {
    return complain(said_by(e), 1);
  }
}

}  // namespace mambo
