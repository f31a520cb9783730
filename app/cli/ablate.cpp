// mambo ablate: what delta, B and C are worth, in bits per sample. Definitions:
// app/offline/ablation.h; bits as in eval.cpp, without a context.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/files/standard_input.h"
#include "app/offline/ablation.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

struct AblateOptions {
  ModelOptions model;
  ComputeOptions compute;
  std::vector<std::filesystem::path> audio;
  std::filesystem::path means;
  double from_s = 0, to_s = 0;
  bool json = false, quiet = false;
};

struct Clip {
  std::filesystem::path path;
  std::vector<std::uint8_t> codes;
  SelectionMeans means;
};

std::string where(const AblationCase& c) {
  return c.tier < 0 ? "all tiers" : fmt::format("tier {}", c.tier);
}

class Ablation {
 public:
  Ablation(const AblateOptions& o)
      : o_(o),
        silent_(o.quiet || o.json),
        model_(open_model(o.model, silent_)),
        engine_(open_engine(*model_, o.compute)),
        cases_(ablation_cases(model_->network())) {
    if (cases_.empty()) {
      throw Error(
          model_->config().name +
          ": expected a model with layers that select (s6), found only time-invariant ones");
    }
    if (!engine_->plays_by_hand()) {
      throw Error(engine_->description() +
                  " does not play selectivity by hand yet: expected --backend cpu");
    }
    load();
  }

  int run() {
    for (const AblationCase& c : cases_) bits_.push_back(measure(c));
    if (o_.json)
      tell_json();
    else
      tell_table();
    return 0;
  }

 private:
  void load() {
    SelectionMeans common;
    if (!o_.means.empty())
      common = means_over(o_.means, load_codes(o_.means, *model_, {}, silent_));
    for (const auto& path : o_.audio) {
      Clip clip{path, load_codes(path, *model_, {o_.from_s, o_.to_s}, silent_), {}};
      if (clip.codes.size() < 2) {
        throw Error(fmt::format("{}: expected at least 2 samples, found {}", path.string(),
                                clip.codes.size()));
      }
      terms_ += static_cast<double>(clip.codes.size() - 1);
      clip.means = o_.means.empty() ? means_over(path, clip.codes) : common;
      clips_.push_back(std::move(clip));
    }
  }

  SelectionMeans means_over(const std::filesystem::path& path,
                            const std::vector<std::uint8_t>& codes) {
    SelectionMeans means = measure_means(*engine_, model_->network(), codes,
                                         [](std::uint64_t) { return !interrupted(); });
    if (means.empty()) {
      throw Error(fmt::format("{}: expected at least {} samples, a step of every tier, found {}",
                              path.string(), model_->network().tiers.back().stride, codes.size()));
    }
    return means;
  }

  double measure(const AblationCase& c) {
    Progress progress(fmt::format("{} held, {}", c.held(), where(c)), silent_);
    double nats = 0;
    double done = 0;
    const double rate = model_->config().sample_rate;
    for (const Clip& clip : clips_) {
      nats += ablated_nats(*engine_, model_->network(), c, clip.means, clip.codes,
                           [&](std::uint64_t samples) {
                             const double at = done + static_cast<double>(samples);
                             progress.update(at, terms_, at / rate);
                             return !interrupted();
                           });
      done += static_cast<double>(clip.codes.size());
    }
    progress.clear();
    return nats / std::log(2.0) / terms_;
  }

  void tell_json() const {
    Json rows = Json::array();
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      const AblationCase& c = cases_[i];
      rows.push_back({{"hold_delta", c.delta ? 1 : 0},
                      {"hold_B", c.B ? 1 : 0},
                      {"hold_C", c.C ? 1 : 0},
                      {"tier", c.tier < 0 ? Json("all") : Json(c.tier)},
                      {"bits_per_sample", bits_[i]}});
    }
    Json paths = Json::array();
    for (const Clip& clip : clips_) paths.push_back(clip.path.string());
    write_output(
        json_line({{"model", model_->config().name},
                   {"clips", paths},
                   {"means_of", o_.means.empty() ? Json("each clip") : Json(o_.means.string())},
                   {"seconds_judged", terms_ / model_->config().sample_rate},
                   {"engine", engine_->description()},
                   {"rows", rows}}));
  }

  void tell_table() const {
    const double least = bits_.front();
    const double most = *std::max_element(bits_.begin(), bits_.end());
    put("{}: bits per sample over {:.2f} s ({})\n", model_->config().name,
        terms_ / model_->config().sample_rate, engine_->description());
    put("{:12}  {:9}  {:>7}\n", "held", "where", "bits");
    int tier = -1;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      const AblationCase& c = cases_[i];
      if (c.tier != tier) put("\n");
      tier = c.tier;
      const double more = bits_[i] - least;
      constexpr double columns = 40;
      const double share = most > least ? std::max(0.0, more) / (most - least) : 0;
      const std::string bar(static_cast<std::size_t>(std::lround(share * columns)), '#');
      if (i == 0)
        put("{:12}  {:9}  {:7.4f}\n", c.held(), "", bits_[i]);
      else
        put("{:12}  {:9}  {:7.4f}  {:+.4f}{}{}\n", c.held(), where(c), bits_[i], more,
            bar.empty() ? "" : "  ", bar);
    }
  }

  const AblateOptions& o_;
  bool silent_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
  std::vector<AblationCase> cases_;
  std::vector<Clip> clips_;
  std::vector<double> bits_;  // of the cases
  double terms_ = 0;          // codes that are scored
};

int run_ablate(const AblateOptions& o) {
  for (const auto& path : o.audio) readable_path(path);  // as long as Ctrl-C ends it at once
  if (!o.means.empty()) readable_path(o.means);
  catch_interrupts();
  return Ablation(o).run();
}

}  // namespace

void add_ablate(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand(
      "ablate", "measure what delta, B and C are worth to a model, in bits per sample");
  auto o = std::make_shared<AblateOptions>();
  add_model_options(*sub, o->model);
  sub->add_option("--audio,-a", o->audio,
                  "recordings, any format, rate and channels; - reads standard input")
      ->type_name("FILE...")
      ->check(a_name())
      ->required();
  sub->add_option("--means", o->means,
                  "hold at the means over this recording instead of each clip's own")
      ->type_name("FILE")
      ->check(a_name());
  sub->add_option("--from", o->from_s, "start here")->check(between(0, 86400, "s"));
  sub->add_option("--to", o->to_s, "end here; 0: the end")->check(between(0, 86400, "s"));
  add_compute_options(*sub, o->compute);
  sub->add_flag("--quiet,-q", o->quiet, "no progress bar");
  sub->add_flag("--json", o->json, "one line of JSON");
  sub->footer(
      "\nWhat selects is held at its mean: delta, B and C, singly and together, in all tiers and "
      "in\n"
      "each (tier 0 is the outermost). A large increase says that the model needs to select "
      "there.\n"
      "Bits are those of `mambo eval`. Tiers without selection (s4d) are left out.\n"
      "\nExamples:\n  mambo ablate --audio clip.wav --to 10\n"
      "  mambo ablate -m drums --audio held-out.wav --means other.wav --json");
  sub->callback([&run, o] { run = [o] { return run_ablate(*o); }; });
}

}  // namespace mambo
