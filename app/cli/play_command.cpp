// mambo play: the options; app/cli/play.h plays.
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/play.h"
#include "app/usage_error.h"

namespace mambo {
namespace {

struct PlayCommand {
  PlayOptions play;
  ModelOptions model;
  ComputeOptions compute;
};

void add_options(CLI::App& sub, PlayCommand& o) {
  add_model_options(sub, o.model);
  sub.add_option("--seed-clip,-s", o.play.seed_clip,
                 "sound to continue, any format, rate and channels; - reads\nstandard input "
                 "(default: the shipped one for the model)")
      ->type_name("FILE|-")
      ->check(a_name());
  sub.add_flag("--from-silence", o.play.from_silence, "continue nothing instead");
  sub.add_option("--device,-d", o.play.device,
                 "audio device, or a part of its name (mambo devices)")
      ->type_name("NAME")
      ->check(a_name());
  sub.add_option("--seconds,-t", o.play.seconds, "stop by itself after this; 0: play on")
      ->check(between(0, 1e9, "s"))
      ->capture_default_str();
  add_control_options(sub, o.play.controls, {Scope::voice, Scope::output, Scope::session},
                      {"the model's own", ""});
  add_set_option(sub, o.play.controls, {Scope::voice, Scope::output, Scope::session, Scope::layer});
  add_compute_options(sub, o.compute);
  sub.add_flag("--json", o.play.json, "at the end one line of JSON with what was measured");
}

}  // namespace

void add_play(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand("play", "play without a window; Ctrl-C stops");
  auto o = std::make_shared<PlayCommand>();
  add_options(*sub, *o);
  sub->footer(
      "\nWithout a sound card it plays silently, in real time, and says so.\n"
      "\nExamples:\n"
      "  mambo play --seed-clip riff.wav --temperature 0.95\n"
      "  mambo play --device pulse --latency 30 --seconds 60 --json");
  sub->callback([&run, o] {
    if (o->play.from_silence && !o->play.seed_clip.empty()) {
      throw UsageError("--from-silence and --seed-clip exclude each other");
    }
    run = [o] {
      o->play.model = o->model.model;
      o->play.load = load_options(o->model);
      o->play.engine = engine_options(o->compute);
      o->play.backend = o->compute.backend;
      return run_play(o->play);
    };
  });
}

}  // namespace mambo
