// mambo gui, which `mambo` alone means as well.
#include <fmt/core.h>

#include <cstdlib>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/usage_error.h"

namespace mambo {
namespace {

struct GuiOptions {
  GuiCommand command;
  ModelOptions model;
  ComputeOptions compute;
};

void add_options(CLI::App& app, GuiOptions& o) {
  app.add_option("--model,-m", o.model.model,
                 "model to open (default: the last, or the shipped one)")
      ->type_name("PATH")
      ->check(a_name());
  add_load_options(app, o.model);
  app.add_option("--seed-clip,-s", o.command.seed_clip,
                 "sound to continue, any format, rate and channels")
      ->type_name("FILE")
      ->check(a_name());
  app.add_option("--device,-d", o.command.device,
                 "audio device, or part of its name (see mambo devices)")
      ->type_name("NAME")
      ->check(a_name());
  app.add_option("--input", o.command.input,
                 "audio input to listen to and answer: default, a name, or part of\none (see mambo "
                 "devices)")
      ->type_name("NAME")
      ->check(a_name());
  add_control_options(app, o.command.controls, {Scope::voice, Scope::output, Scope::session},
                      {"as last time with this model, else its own", "as last time"});
  add_set_option(app, o.command.controls,
                 {Scope::voice, Scope::output, Scope::session, Scope::layer});
  add_compute_options(app, o.compute);
  app.add_option("--screenshot", o.command.screenshot, "save the window as a PNG, then exit")
      ->type_name("FILE")
      ->check(a_name());
  app.add_flag("--force", o.command.force, "let the screenshot replace any file");
  app.add_option("--after", o.command.after_s, "seconds before the screenshot")
      ->check(between(0, 3600, "s"))
      ->capture_default_str();
  app.add_option("--width", o.command.width, "width of the window, at least 900; 0: as last time")
      ->check(between(0, 16384, "pixels"));
  app.add_option("--height", o.command.height,
                 "height of the window, at least 600; 0: as last time")
      ->check(between(0, 16384, "pixels"));
}

bool has_display() {
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing calls setenv
    if (value != nullptr && *value != '\0') return true;
  }
  return false;
}

int open_window(GuiOptions& o, const GuiRunner& gui) {
  constexpr const char* advice = "mambo play needs only a sound card, mambo render nothing at all";
  if (!gui) throw Error(fmt::format("this build has no window; {}", advice));
  if (!has_display()) throw Error(fmt::format("there is no display for a window; {}", advice));
  if (o.command.seed_clip == "-") {
    throw UsageError("--seed-clip: the window takes no clip from standard input");
  }
  o.command.model = o.model.model;
  o.command.load = load_options(o.model);
  o.command.engine = engine_options(o.compute);
  o.command.backend = o.compute.backend;
  catch_interrupts();
  o.command.interrupted = interrupted;
  return gui(o.command);
}

}  // namespace

void add_gui(CLI::App& app, Run& run, const GuiRunner& gui) {
  auto outer = std::make_shared<GuiOptions>();
  add_options(app, *outer);
  run = [outer, gui] { return open_window(*outer, gui); };

  CLI::App* sub = app.add_subcommand("gui", "open the window (the same as mambo alone)");
  auto o = std::make_shared<GuiOptions>();
  add_options(*sub, *o);
  sub->footer(
      "\nExamples:\n"
      "  mambo gui --model my.safetensors --seed-clip riff.wav\n"
      "  mambo gui --screenshot window.png --after 5");
  sub->callback([&run, o, gui] { run = [o, gui] { return open_window(*o, gui); }; });

  // An option of the window before another command would be ignored silently.
  app.parse_complete_callback([&app] {
    if (app.get_subcommands().empty()) return;
    for (const CLI::Option* option : app.get_options()) {
      if (option->count() > 0) {
        throw UsageError(fmt::format("{} belongs after the command: mambo {} {} ...",
                                     option->get_name(), app.get_subcommands().front()->get_name(),
                                     option->get_name()));
      }
    }
  });
}

}  // namespace mambo
