// mambo ablate: what delta, B and C are worth, in bits per sample. Definitions:
// model/ablation.h; bits as in eval.cpp, without a context.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/files/standard_input.h"
#include "model/ablation.h"

namespace mambo {
namespace {

struct AblateOptions {
  ModelOptions model;
  ComputeOptions compute;
  std::vector<std::filesystem::path> audio;
  std::filesystem::path means;
  double from_s = 0, to_s = 0;
  bool json = false, quiet = false;
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
        cases_(expect_cases(model_->network(), model_->config().name)) {
    if (!engine_->plays_by_hand()) {
      throw Error(engine_->description() +
                  " does not play selectivity by hand yet: expected --backend cpu");
    }
    load();
  }

  int run() {
    for (const AblationCase& c : cases_) table_.rows.push_back({c, measure(c)});
    if (o_.json)
      write_output(ablation_json(table_));
    else
      tell_table();
    return 0;
  }

 private:
  void load() {
    SelectionMeans common;
    if (!o_.means.empty())
      common = means_over(o_.means, load_codes(o_.means, *model_, {}, silent_));
    double terms = 0;
    for (const auto& path : o_.audio) {
      AblationClip clip{
          path.string(), load_codes(path, *model_, {o_.from_s, o_.to_s}, silent_), {}};
      expect_enough(clip.name, clip.codes);
      terms += clip.terms();
      clip.means = o_.means.empty() ? means_over(path, clip.codes) : common;
      table_.clips.push_back(clip.name);
      clips_.push_back(std::move(clip));
    }
    table_.model = model_->config().name;
    table_.means_of = o_.means.string();
    table_.seconds = terms / model_->config().sample_rate;
    table_.engine = engine_->description();
  }

  SelectionMeans means_over(const std::filesystem::path& path,
                            const std::vector<std::uint8_t>& codes) {
    return expect_means(*engine_, model_->network(), path.string(), codes,
                        [](std::uint64_t) { return !interrupted(); });
  }

  double measure(const AblationCase& c) {
    Progress progress(fmt::format("{} held, {}", c.held(), where(c)), silent_);
    const double rate = model_->config().sample_rate;
    const double bits = ablated_bits(*engine_, model_->network(), c, clips_, [&](double samples) {
      progress.update(samples, table_.seconds * rate, samples / rate);
      return !interrupted();
    });
    progress.clear();
    return bits;
  }

  void tell_table() const {
    const std::vector<AblationTable::Row>& rows = table_.rows;
    const double least = rows.front().bits_per_sample;
    const double most =
        std::max_element(rows.begin(), rows.end(), [](const auto& x, const auto& y) {
          return x.bits_per_sample < y.bits_per_sample;
        })->bits_per_sample;
    put("{}: bits per sample over {:.2f} s ({})\n", table_.model, table_.seconds, table_.engine);
    put("{:12}  {:9}  {:>7}\n", "held", "where", "bits");
    int tier = -1;
    for (const AblationTable::Row& row : rows) {
      const AblationCase& c = row.held;
      if (c.tier != tier) put("\n");
      tier = c.tier;
      const double more = row.bits_per_sample - least;
      constexpr double columns = 40;
      const double share = most > least ? std::max(0.0, more) / (most - least) : 0;
      const std::string bar(static_cast<std::size_t>(std::lround(share * columns)), '#');
      if (&row == rows.data())
        put("{:12}  {:9}  {:7.4f}\n", c.held(), "", row.bits_per_sample);
      else
        put("{:12}  {:9}  {:7.4f}  {:+.4f}{}{}\n", c.held(), where(c), row.bits_per_sample, more,
            bar.empty() ? "" : "  ", bar);
    }
  }

  const AblateOptions& o_;
  bool silent_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
  std::vector<AblationCase> cases_;
  std::vector<AblationClip> clips_;
  AblationTable table_;
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
