// mambo render: sound files, one or many, each with the recipe that reproduces it.
#include "app/offline/render.h"
#include "app/cli/say.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/progress.h"
#include "app/cli/render_performance.h"
#include "app/usage_error.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct RenderOptions {
  ModelOptions model;
  ComputeOptions compute;
  fs::path seed_clip, recipe, performance;
  bool from_silence = false;
  double from_s = 0, to_s = 0, seconds = 10;
  ControlChoice controls;
  OutputChoice output;
  std::string format;
  int rate = 0, parallel = 0;
  bool force = false, quiet = false, json = false;
};

class Teller : public RenderEvents {
 public:
  Teller(const RenderOptions& o, int rate)
      : talks_(!o.json),
        rate_(rate),
        absorb_("absorbing the clip", o.quiet),
        draw_("drawing", o.quiet) {}

  void absorbing(std::uint64_t samples, std::uint64_t of) override { tell(absorb_, samples, of); }
  void drawing(std::uint64_t samples, std::uint64_t of) override {
    if (!drawing_) {
      absorb_.clear();
      draw_.restart();
      drawing_ = true;
    }
    tell(draw_, samples, of);
  }
  void file_done(const fs::path& path, const Recipe& recipe) override {
    draw_.clear();
    files.push_back(path.string());
    hashes.push_back(recipe.file_sha256);
    if (talks_) {
      put("{}  {:.2f} s{}\n", path.string(),
          static_cast<double>(recipe.file_samples) / recipe.file_rate,
          recipe.interrupted ? ", cut short" : "");
      flush_output();
    }
  }
  bool stop() override { return interrupted(); }

  std::vector<std::string> files, hashes;

 private:
  void tell(Progress& progress, std::uint64_t samples, std::uint64_t of) const {
    const auto done = static_cast<double>(samples);
    progress.update(done, static_cast<double>(of), done / rate_);
  }
  bool talks_;
  int rate_;
  bool drawing_ = false;
  Progress absorb_, draw_;
};

Recipe base_recipe(const RenderOptions& o, const Model& model, const Engine& engine) {
  Recipe r;
  r.sample_rate = model.config().sample_rate;
  r.encoding = model.config().encoding;
  r.clip_from_s = o.from_s;
  r.clip_to_s = o.to_s;
  if (!o.from_silence) {
    r.clip_path = fs::absolute(o.seed_clip.empty() ? shipped_seed_clip(model.path()) : o.seed_clip);
  }
  ControlChoice own;
  own.say(model.config().sampling);
  r.sampling = resolve_sampling(o.controls, {}, own);
  r.rng_seed = resolve(control_spec(ControlId::rng_seed), o.controls, {}, {}).whole;
  r.samples = static_cast<std::uint64_t>(std::llround(o.seconds * r.sample_rate));
  if (r.samples == 0)
    throw UsageError(fmt::format("--seconds {}: that is not even one sample", o.seconds));
  r.weights = o.compute.weights;
  r.backend = backend_name(engine.backend());
  r.file_rate = o.rate != 0 ? o.rate : r.sample_rate;
  return r;
}

// What the model, clip and engine at hand are, for the recipe.
void fill_in(Recipe& r, const Model& model, const Engine& engine) {
  r.version = MAMBO_VERSION;
  r.model_path = fs::absolute(model.path());
  r.model_name = model.config().name;
  r.model_sha256 = model.hash();
  r.engine = engine.description();
  if (!r.clip_path.empty()) r.clip_sha256 = sha256_hex(map_file(r.clip_path).bytes);
}

void must_match(const std::string& what, const std::string& expected, const std::string& found) {
  if (expected != found) {
    throw Error(fmt::format("{} is not the one of the recipe: expected SHA-256 {}, found {}", what,
                            expected, found));
  }
}

void report(const RenderOptions& o, const RenderSummary& s, const Teller& teller,
            const std::vector<fs::path>& skipped, const Engine& engine, int rate) {
  const double seconds = static_cast<double>(s.samples) / rate;
  const double speed = s.draw_s > 0 ? static_cast<double>(s.samples) / s.draw_s : 0;
  if (o.json) {
    Json j;
    j["files"] = teller.files;
    j["sha256"] = teller.hashes;
    j["skipped"] = Json::array();
    for (const fs::path& p : skipped) j["skipped"].push_back(p.string());
    j["interrupted"] = s.interrupted;
    j["seconds_of_audio"] = seconds;
    j["absorb_seconds"] = s.absorb_s;
    j["draw_seconds"] = s.draw_s;
    j["samples_per_second"] = speed;
    j["real_time_factor"] = speed / rate;
    j["engine"] = engine.description();
    write_output(json_line(j));
  } else if (!o.quiet && s.samples > 0) {
    say("{:.2f} s of sound in {:.2f} s: {:.2f} x real time ({})\n", seconds, s.draw_s, speed / rate,
        engine.description());
  }
}

int make(const RenderOptions& o, std::vector<Take> takes, const std::vector<std::uint8_t>& seed,
         const Engine& engine, const Recipe* again) {
  const int rate = takes.front().recipe.sample_rate;
  const std::vector<fs::path> skipped = skip_finished(takes, o.force);
  for (const fs::path& p : skipped) {
    if (!o.quiet) say("{}: already there, made by this very recipe; left as it is\n", p.string());
  }
  catch_interrupts();
  Teller teller(o, rate);
  const RenderSummary summary = render(engine, takes, seed, o.parallel, teller);
  report(o, summary, teller, skipped, engine, rate);
  if (summary.interrupted) {
    say("mambo: interrupted; {}\n",
        summary.files > 0 ? "what was drawn is kept in the files above" : "nothing was written");
    return exit_interrupted;
  }
  if (again != nullptr && !o.quiet && !teller.hashes.empty()) {
    if (again->interrupted)
      say("the recipe's file was cut short at {:.2f} s; this is the whole\n",
          static_cast<double>(again->file_samples) / again->file_rate);
    else
      say("{}\n", teller.hashes.front() == again->file_sha256
                      ? "bit for bit the file that the recipe describes"
                      : fmt::format("not bit for bit the recipe's file, which mambo {} made on {}",
                                    again->version, again->engine));
  }
  return 0;
}

int run_new(RenderOptions& o) {
  if (o.from_silence && !o.seed_clip.empty()) {
    throw UsageError("--from-silence and --seed-clip exclude each other");
  }
  if (o.output.stems && o.output.with_seed) {
    throw UsageError("--stems and --with-seed exclude each other: stems hold both joined anyway");
  }
  if (!o.format.empty()) o.output.format = parse_file_format(o.format);
  if (o.to_s > 0 && o.to_s <= o.from_s) {
    throw UsageError(
        fmt::format("expected --to after --from, found {} s to {} s", o.from_s, o.to_s));
  }
  const auto model = open_model(o.model);
  const auto engine = open_engine(*model, o.compute);
  Recipe base = base_recipe(o, *model, *engine);
  std::vector<std::uint8_t> seed;
  if (!base.clip_path.empty()) seed = load_codes(base.clip_path, *model, o.from_s, o.to_s);
  fill_in(base, *model, *engine);
  return make(o, plan_takes(base, o.output), seed, *engine, nullptr);
}

// A recipe's model or clip may have been moved.
void must_be_there(const fs::path& path, const char* option) {
  std::error_code error;
  if (!fs::exists(path, error))
    throw Error(fmt::format("{}: no such file or folder; {} names the recipe's where it is now",
                            path.string(), option));
}

int run_recipe(RenderOptions& o) {
  const Recipe recipe = read_recipe(o.recipe);
  if (o.model.model.empty()) must_be_there(recipe.model_path, "--model");
  o.model.model = o.model.model.empty() ? recipe.model_path : o.model.model;
  o.model.model_rate = recipe.sample_rate;
  o.model.encoding = encoding_name(recipe.encoding);
  o.compute.weights = recipe.weights;
  if (o.compute.backend == "auto") o.compute.backend = recipe.backend;
  const auto model = open_model(o.model);
  must_match(model->path().string(), recipe.model_sha256, model->hash());
  const auto engine = open_engine(*model, o.compute);
  Recipe base = recipe;
  base.backend = backend_name(engine->backend());
  std::vector<std::uint8_t> seed;
  if (!recipe.clip_sha256.empty()) {
    if (!o.seed_clip.empty()) base.clip_path = o.seed_clip;
    base.clip_path = fs::absolute(base.clip_path);
    must_be_there(base.clip_path, "--seed-clip");
    must_match(base.clip_path.string(), recipe.clip_sha256,
               sha256_hex(map_file(base.clip_path).bytes));
    seed = load_codes(base.clip_path, *model, recipe.clip_from_s, recipe.clip_to_s);
  }
  fill_in(base, *model, *engine);
  if (o.output.path.empty()) o.output.path = o.recipe.parent_path() / recipe.file;
  // Where the recipe's own file is made again, the same recipe is written; else it is an input.
  const bool in_place = o.output.path.filename() == recipe.file;
  if (!in_place) note_input(o.recipe);
  o.output.format = recipe.format;
  std::vector<Take> takes = plan_takes(base, o.output);
  takes.front().files.front().part = recipe.part;
  takes.front().draws = recipe.part != Part::seed;
  return make(o, std::move(takes), seed, *engine, &recipe);
}

void add_sound_options(CLI::App& sub, RenderOptions& o) {
  sub.add_option("--seed-clip,-s", o.seed_clip,
                 "sound to continue, any format, rate and channels\n(default: the shipped one for "
                 "the model)")
      ->type_name("FILE")
      ->check(a_name());
  sub.add_flag("--from-silence", o.from_silence, "use no clip");
  sub.add_option("--from", o.from_s, "start of the part of the clip to use")
      ->check(between(0, 86400, "s"));
  sub.add_option("--to", o.to_s, "end of the part of the clip to use; 0: its end")
      ->check(between(0, 86400, "s"));
  sub.add_option("--seconds,-t", o.seconds, "length of the continuation")
      ->check(between(0, 86400, "s"))
      ->capture_default_str();
  sub.add_option("--count,-n", o.output.count, "variations, with random seeds S, S+1, ...")
      ->check(between(1, 100000))
      ->capture_default_str();
  add_control_options(sub, o.controls, {Scope::voice}, {"the model's own", ""});
}

void add_file_options(CLI::App& sub, RenderOptions& o) {
  sub.add_option(
         "-o,--output", o.output.path,
         "a file (.wav .flac .ogg) or a folder; --count adds -000, -001, ...\n(default: out/)")
      ->type_name("FILE|DIR")
      ->check(a_name());
  sub.add_option("--format", o.format, "of files in a folder (default: wav)")
      ->check(one_of({"wav", "flac", "ogg"}));
  sub.add_option("--rate", o.rate, "sampling rate of the file (default: the model's, bit for bit)")
      ->check(between(8000, 192000, "Hz"));
  sub.add_flag("--with-seed", o.output.with_seed, "the clip before the continuation, in one file");
  sub.add_flag("--stems", o.output.stems, "clip, continuation and both joined, one file each");
  sub.add_option("--recipe", o.recipe,
                 "make the file of this recipe again (a .json beside a rendered file)")
      ->type_name("FILE")
      ->check(a_name());
  sub.add_option("--performance", o.performance,
                 "draw a live recording again, from the .performance.jsonl beside it")
      ->type_name("FILE")
      ->check(a_name());
  sub.add_option("--parallel", o.parallel,
                 "voices drawn at the same time; 0: as many as keep the device busy")
      ->check(between(0, 65536, "voices"))
      ->capture_default_str();
  sub.add_flag("--force", o.force, "make existing files again, replace any file");
  sub.add_flag("--quiet,-q", o.quiet, "no progress bar");
  sub.add_flag("--json", o.json, "one line of JSON about the files");
}

// A recipe and a performance say these themselves.
void refuse_beside(const std::string& what, const CLI::App& sub) {
  std::vector<std::string> names = {"--from-silence", "--from",    "--to",         "--seconds",
                                    "--count",        "--format",  "--rate",       "--with-seed",
                                    "--stems",        "--weights", "--model-rate", "--encoding"};
  for (const ControlSpec& spec : kControlTable) names.push_back(option_name(spec));
  if (what == "--performance") names.insert(names.end(), {"--recipe", "--parallel"});
  for (const std::string& name : names) {
    if (sub.get_option_no_throw(name) != nullptr && sub.count(name) > 0) {
      throw UsageError(fmt::format("{} says all about the sound: leave out {}", what, name));
    }
  }
}

int run_performance(const RenderOptions& o) {
  PerformanceOptions p;
  p.model = o.model;
  p.seed_clip = o.seed_clip;
  p.compute = o.compute;
  p.performance = o.performance;
  p.output = o.output.path;
  p.force = o.force;
  p.quiet = o.quiet;
  p.json = o.json;
  return render_performance(p);
}

}  // namespace

void add_render(CLI::App& app, Run& run) {
  CLI::App* sub =
      app.add_subcommand("render", "continue a clip into sound files, as fast as the machine can");
  auto o = std::make_shared<RenderOptions>();
  add_model_options(*sub, o->model);
  add_sound_options(*sub, *o);
  add_file_options(*sub, *o);
  add_compute_options(*sub, o->compute);
  sub->footer(
      "\nA file holds the continuation alone unless --with-seed or --stems says otherwise. Beside\n"
      "each lies a .json, its recipe. Files that are there already, made by the same recipe, are\n"
      "skipped: an interrupted batch continues where it stopped.\n"
      "\nExamples:\n"
      "  mambo render --seed-clip riff.wav --seconds 30 -o more.flac\n"
      "  mambo render --seconds 20 --count 50 --temperature 0.95 -o takes/ --rate 48000\n"
      "  mambo render --recipe takes/riff-continued-017.json -o again.wav\n"
      "  mambo render --performance take.performance.jsonl -o again.wav");
  sub->callback([&run, o, sub] {
    if (!o->performance.empty()) {
      refuse_beside("--performance", *sub);
      run = [o] { return run_performance(*o); };
      return;
    }
    if (!o->recipe.empty()) refuse_beside("--recipe", *sub);
    run = [o] { return o->recipe.empty() ? run_new(*o) : run_recipe(*o); };
  });
}

}  // namespace mambo
