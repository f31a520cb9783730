// mambo render: sound files, one or many, each with the recipe that reproduces it.
#include "app/offline/render.h"

#include <fmt/core.h>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/render_batch.h"
#include "app/cli/render_options.h"
#include "app/cli/render_performance.h"
#include "app/cli/render_teller.h"
#include "app/cli/say.h"
#include "app/control/by_hand.h"
#include "app/files/sound_stream.h"
#include "app/files/standard_input.h"
#include "app/offline/existing_files.h"
#include "app/offline/output_name.h"
#include "app/usage_error.h"
#include "model/moment_file.h"
#include "model/output_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

void must_match(const std::string& what, const std::string& expected, const std::string& found) {
  if (expected != found) {
    throw Error(fmt::format("{} is not the one of the recipe: expected SHA-256 {}, found {}", what,
                            expected, found));
  }
}

void tell_whether_same(const Recipe& recipe, const std::string& hash) {
  if (recipe.interrupted) {
    say("the recipe's file was cut short at {:.2f} s; this is the whole\n",
        static_cast<double>(recipe.file_samples) / recipe.file_rate);
    return;
  }
  say("{}\n", hash == recipe.file_sha256
                  ? "bit for bit the file that the recipe describes"
                  : fmt::format("not bit for bit the recipe's file, which mambo {} made on {}",
                                recipe.version, recipe.engine));
}

// The one take of a recipe.
std::vector<Take> takes_of(const Recipe& recipe, Recipe base, OutputChoice choice) {
  choice.format = recipe.format;
  choice.fade_in_ms = recipe.finish.fade_in_ms;
  choice.fade_out_ms = recipe.finish.fade_out_ms;
  std::vector<Take> takes = plan_takes(base, choice);
  Take& take = takes.front();
  take.recipe.finish.rng_seed_right = recipe.finish.rng_seed_right;
  Take::File& file = take.files.front();
  file = {file.path, recipe.part, recipe.finish.fade_in_ms, recipe.finish.fade_out_ms};
  take.draws = recipe.part != Part::seed;
  return takes;
}

int run_recipe(RenderOptions& o) {
  if (o.seed_clips.size() > 1)
    throw UsageError("a recipe has one clip: --seed-clip names one file");
  for (const fs::path& clip : o.seed_clips) readable_path(clip);  // as long as Ctrl-C ends it
  catch_interrupts();
  const bool silent = o.quiet || o.json;
  const Recipe recipe = read_recipe(o.recipe);
  if (o.model.model.empty())
    must_be_there(recipe.model_path, "--model names the recipe's where it is now");
  o.model.model = o.model.model.empty() ? recipe.model_path : o.model.model;
  o.model.model_rate = recipe.sample_rate;
  o.model.encoding = encoding_name(recipe.encoding);
  o.compute.weights = recipe.weights;
  if (o.compute.backend == "auto") o.compute.backend = recipe.backend;
  const auto model = open_model(o.model, silent);
  must_match(model->path().string(), recipe.model_sha256, model->hash());
  const auto engine = open_engine(*model, o.compute);
  expect_settings(recipe.layers, model->network(), *engine);
  Recipe base = recipe;
  base.verdict.reset();  // of the other file: this one is not compared with any
  std::vector<std::uint8_t> seed;
  std::shared_ptr<const Moment> moment;
  if (recipe.from_moment) {
    if (!o.moment.empty()) base.clip_path = o.moment;
    base.clip_path = fs::absolute(base.clip_path);
    must_be_there(base.clip_path, "--moment names the recipe's where it is now");
    must_match(base.clip_path.string(), recipe.clip_sha256, hash_of(base.clip_path));
    moment = std::make_shared<const Moment>(read_moment(base.clip_path, *model));
  } else if (!recipe.clip_sha256.empty()) {
    if (!o.seed_clips.empty()) base.clip_path = o.seed_clips.front();
    if (!is_standard_input(base.clip_path)) {
      base.clip_path = fs::absolute(base.clip_path);
      must_be_there(base.clip_path, "--seed-clip names the recipe's where it is now");
    } else if (o.seed_clips.empty()) {
      throw Error("the recipe's clip came by standard input: name it with --seed-clip");
    }
    must_match(clip_name(base.clip_path).string(), recipe.clip_sha256, hash_of(base.clip_path));
    seed = load_codes(base.clip_path, *model, {recipe.clip_from_s, recipe.clip_to_s}, silent);
  }
  fill_in(base, *model, *engine);
  if (o.output.path.empty()) {
    const fs::path beside = o.recipe.parent_path() / recipe.file;
    o.output.path = literal(beside.string());
  }
  std::vector<Take> takes = takes_of(recipe, base, o.output);
  for (Take& take : takes) take.moment = moment;
  RenderTeller teller(o.quiet, o.json, is_standard_output(o.output.path));
  teller.begin(base.sample_rate);
  // Where the recipe's own file is made again, the same recipe is written; else it is an input.
  if (takes.front().files.front().path.filename() != recipe.file) note_input(o.recipe);
  refuse_foreign(takes, o.force);
  if (!o.force) teller.skip(skip_finished(takes), 0);
  for (const Take& take : takes) {
    teller.plan(take.files.size(), static_cast<double>(take.recipe.samples) *
                                       take.recipe.finish.channels() / take.recipe.sample_rate);
  }
  const RenderSummary summary = render(*engine, takes, seed, o.parallel, teller,
                                       limits_of(takes, seed, model->config()), &model->network());
  teller.end(summary, engine->description());
  teller.summary();
  if (!summary.interrupted && !o.quiet && !teller.hashes().empty()) {
    tell_whether_same(recipe, teller.hashes().front());
  }
  return teller.exit_code();
}

// A recipe and a performance say these themselves.
void refuse_beside(const std::string& what, const CLI::App& sub) {
  std::vector<std::string> names = {
      "--from-silence", "--from",      "--to",    "--seconds",   "--count",       "--keep",
      "--format",       "--rate",      "--bits",  "--normalize", "--fade-in",     "--fade-out",
      "--stereo",       "--with-seed", "--stems", "--weights",   "--match-level", "--guard",
      "--model-rate",   "--encoding",  "--jobs",  "--shard",     "--set"};
  for (const ControlSpec& spec : kControlTable) names.push_back(option_name(spec));
  if (what == "--performance") {
    names.insert(names.end(), {"--recipe", "--parallel", "--moment"});
  }
  for (const std::string& name : names) {
    if (sub.get_option_no_throw(name) != nullptr && sub.count(name) > 0) {
      throw UsageError(fmt::format("{} says all about the sound: leave out {}", what, name));
    }
  }
}

int run_new(const RenderOptions& o) {
  if (!o.jobs.empty()) return render_batch(o, read_orders(o));
  must_go_together(o);
  return render_batch(o, {o});
}

int run_performance(const RenderOptions& o) {
  PerformanceOptions p;
  p.model = o.model;
  if (o.seed_clips.size() > 1) {
    throw UsageError("--performance and several clips exclude each other: --seed-clip names one");
  }
  if (!o.seed_clips.empty()) p.seed_clip = o.seed_clips.front();
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
  add_run_options(*sub, *o);
  add_compute_options(*sub, o->compute);
  sub->footer(
      "\nA file holds the continuation alone unless --with-seed or --stems says otherwise. Beside\n"
      "each lies a .json, its recipe. Files that are there already, made by the same recipe, are\n"
      "skipped: an interrupted batch continues where it stopped.\n"
      "\nExamples:\n"
      "  mambo render --seed-clip riff.wav --seconds 30 -o more.flac\n"
      "  mambo render --seconds 20 --count 50 --temperature 0.95 -o takes/ --rate 48000\n"
      "  mambo render -s riffs/ --count 50 --keep 3 --normalize -18 -o 'best/{clip}-{n}.flac'\n"
      "  mambo render --jobs jobs.csv --shard 2/8 -o takes/\n"
      "  mambo render --seconds 60 -o - | aplay\n"
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
