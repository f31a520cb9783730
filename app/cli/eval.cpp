// mambo eval: how well a model predicts recordings, in bits per sample.
//
// Definition. For a clip of T codes the model starts from its zero state and is scored on codes
// 1 ... T-1, each predicted from all before it (T-1 terms; code 0, which nothing precedes, is not
// scored): bits = mean of -log2 p(code[t] | code[0 ... t-1]). Over several clips the terms are
// pooled. With --score-from only the codes from there on are scored: those before are context.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/control/by_hand.h"
#include "app/control/control_json.h"
#include "app/files/standard_input.h"
#include "model/ablation.h"
#include "model/surprise.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

struct EvalOptions {
  ModelOptions model;
  ComputeOptions compute;
  ControlChoice controls;  // of layers
  std::vector<std::filesystem::path> audio;
  double from_s = 0, to_s = 0, score_from_s = 0;
  bool json = false, quiet = false;
};

int run_eval(const EvalOptions& o) {
  for (const auto& path : o.audio) readable_path(path);  // as long as Ctrl-C ends it at once
  catch_interrupts();
  const bool silent = o.quiet || o.json;
  const auto model = open_model(o.model, silent);
  const auto engine = open_engine(*model, o.compute);
  const int rate = model->config().sample_rate;
  const std::vector<LayerSetting> set = in_short(o.controls.layers);
  expect_settings(set, model->network(), *engine);
  Selectivity by_hand(engine->layout());
  apply_settings(set, model->network(), by_hand);
  const auto state = engine->make_state();
  double nats = 0;
  double terms = 0;
  double seconds = 0;
  double judged = 0;
  double wall = 0;
  Json clips = Json::array();
  for (const auto& path : o.audio) {
    const std::vector<std::uint8_t> codes = load_codes(path, *model, {o.from_s, o.to_s}, silent);
    if (codes.size() < 2) {
      throw Error(
          fmt::format("{}: expected at least 2 samples, found {}", path.string(), codes.size()));
    }
    const double context_s = std::max(0.0, o.score_from_s - o.from_s);
    const auto first =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(context_s * rate)));
    if (first >= codes.size()) {
      throw Error(fmt::format("{}: expected --score-from before its end at {:.3f} s, found {} s",
                              path.string(), o.from_s + static_cast<double>(codes.size()) / rate,
                              o.score_from_s));
    }
    Progress progress(path.filename().string(), silent);
    SurpriseSink sink(codes, first, model->config().vocab_size, [&](std::uint64_t samples) {
      const auto done = static_cast<double>(samples);
      progress.update(done, static_cast<double>(codes.size()), done / rate);
      return !interrupted();
    });
    const auto start = std::chrono::steady_clock::now();
    if (wants_means(set)) {
      const SelectionMeans means = measure_means(*engine, model->network(), codes,
                                                 [](std::uint64_t) { return !interrupted(); });
      expect_means(means, model->network(), codes.size());
      by_hand.set_means(means);
    }
    engine->reset(*state);
    engine->prefill(*state, codes, &sink, set.empty() ? nullptr : &by_hand);
    wall += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto clip_terms = static_cast<double>(codes.size() - first);
    const double clip_bits = sink.nats() / std::log(2.0) / clip_terms;
    const double clip_seconds = static_cast<double>(codes.size()) / rate;
    nats += sink.nats();
    terms += clip_terms;
    seconds += clip_seconds;
    judged += clip_terms / rate;
    clips.push_back({{"path", path.string()},
                     {"bits_per_sample", clip_bits},
                     {"seconds_of_audio", clip_seconds},
                     {"seconds_judged", clip_terms / rate}});
    progress.clear();
    if (!o.json) put("{:.4f} bits/sample  {:8.2f} s  {}\n", clip_bits, clip_seconds, path.string());
  }
  const double bits = nats / std::log(2.0) / terms;
  if (o.json) {
    Json j = {{"bits_per_sample", bits},
              {"seconds_of_audio", seconds},
              {"seconds_judged", judged},
              {"wall_seconds", wall},
              {"real_time_factor", seconds / wall},
              {"engine", engine->description()},
              {"clips", clips}};
    if (!set.empty()) j["set"] = settings_json(set);
    write_output(json_line(j));
  } else {
    const std::string heard = o.score_from_s > 0 ? fmt::format(" of {:.2f} s heard", seconds) : "";
    put("{:.4f} bits/sample over {:.2f} s{}, {:.1f} x real time ({})\n", bits, judged, heard,
        seconds / wall, engine->description());
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand(
      "eval", "measure how well a model predicts recordings, in bits per sample");
  auto o = std::make_shared<EvalOptions>();
  add_model_options(*sub, o->model);
  sub->add_option("--audio,-a", o->audio,
                  "recordings, any format, rate and channels; - reads standard input")
      ->type_name("FILE...")
      ->check(a_name())
      ->required();
  sub->add_option("--from", o->from_s, "start here")->check(between(0, 86400, "s"));
  sub->add_option("--to", o->to_s, "end here; 0: the end")->check(between(0, 86400, "s"));
  sub->add_option("--score-from", o->score_from_s,
                  "score only from here on; everything before is context")
      ->check(between(0, 86400, "s"));
  add_set_option(*sub, o->controls, {Scope::layer});
  add_compute_options(*sub, o->compute);
  sub->add_flag("--quiet,-q", o->quiet, "no progress bar");
  sub->add_flag("--json", o->json, "one line of JSON");
  sub->footer(
      "\nMean of -log2 p(code) over all codes of a clip but its first, each predicted from all "
      "before\n"
      "it, from a zero state; several clips are pooled. A model that knows nothing scores 8.\n"
      "With --score-from, only codes from there on are scored. What --set holds is at its mean\n"
      "over the same clip.\n"
      "\nExamples:\n  mambo eval --audio held-out/*.wav --weights f32\n"
      "  mambo eval --audio clip.wav --set hold_delta.tier0=1   what its outermost delta is worth\n"
      "  mambo eval --audio clip.wav --from 20 --score-from 39 --to 40   after 19 s of context");
  sub->callback([&run, o] { run = [o] { return run_eval(*o); }; });
}

}  // namespace mambo
