#include "app/cli/render_batch.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <tuple>

#include "app/cli/interrupt.h"
#include "app/cli/render_teller.h"
#include "app/control/by_hand.h"
#include "app/control/guard.h"
#include "app/files/codes.h"
#include "app/files/paths.h"
#include "app/files/sound_stream.h"
#include "app/files/standard_input.h"
#include "app/offline/existing_files.h"
#include "app/usage_error.h"
#include "model/moment_file.h"
#include "model/output_file.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_takes = 200000;  // of a plan: some 2 kB each

// What libsndfile is known to read, by name: a folder of sounds has pictures and texts in it too.
bool looks_like_sound(const fs::path& path) {
  std::string ext = path.extension().string();
  std::transform(ext.begin(), ext.end(), ext.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto names = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff",
                      ".aif", ".aifc", ".caf", ".w64", ".rf64", ".au",  ".snd"};
  return std::find(names.begin(), names.end(), ext) != names.end();
}

// A file that render made is no input, so that a folder may be clips and output at once.
bool is_rendered(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(recipe_path(path), error)) return false;
  try {
    return read_recipe(recipe_path(path)).file == path.filename().string();
  } catch (const Error&) {
    return false;
  }
}

void add_clips_of(const fs::path& folder, std::vector<fs::path>& clips) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code other;
    if (entry.is_regular_file(other) && looks_like_sound(entry.path()) &&
        !is_rendered(entry.path())) {
      found.push_back(entry.path());
    }
  }
  if (error) throw Error(fmt::format("{}: {}", folder.string(), error.message()));
  if (found.empty()) {
    throw Error(fmt::format("{}: expected sound files in the folder, found none", folder.string()));
  }
  std::sort(found.begin(), found.end());
  clips.insert(clips.end(), found.begin(), found.end());
}

fs::path model_of(const RenderOptions& o) {
  return o.model.model.empty() ? default_model() : o.model.model;
}

// The clips of an order; one empty path: from silence.
std::vector<fs::path> clips_of(const RenderOptions& o) {
  if (o.from_silence) return {fs::path()};
  if (!o.moment.empty()) return {fs::absolute(o.moment)};
  if (o.seed_clips.empty()) return {fs::absolute(shipped_seed_clip(model_of(o)))};
  std::vector<fs::path> clips;
  for (const fs::path& named : o.seed_clips) {
    std::error_code error;
    if (fs::is_directory(named, error)) {
      add_clips_of(named, clips);
    } else {
      clips.push_back(named);
    }
  }
  for (fs::path& clip : clips) {
    if (!is_standard_input(clip)) clip = fs::absolute(clip);
  }
  return clips;
}

// What of a take is known before its model is loaded.
Recipe base_of(const RenderOptions& o, const fs::path& clip) {
  Recipe r;
  r.model_path = model_of(o);
  r.clip_path = clip;
  r.clip_from_s = clip.empty() ? 0 : o.from_s;
  r.clip_to_s = clip.empty() ? 0 : o.to_s;
  r.rng_seed = resolve(control_spec(ControlId::rng_seed), o.controls, {}, {}).whole;
  r.weights = o.compute.weights;
  r.finish = finish_of(o);
  r.guard = o.guard;
  r.layers = in_short(o.controls.layers);
  r.from_moment = !o.moment.empty();
  if (r.from_moment && !o.controls[ControlId::rng_seed]) {
    r.rng_seed = moment_facts(clip).rng_seed;
  }
  return r;
}

// And what the model says.
void complete(Recipe& r, const RenderOptions& o, const Model& model, const Engine& engine) {
  r.sample_rate = model.config().sample_rate;
  r.encoding = model.config().encoding;
  ControlChoice own;
  own.say(model.config().sampling);
  r.sampling = resolve_sampling(o.controls, {}, own);
  r.samples = static_cast<std::uint64_t>(std::llround(o.seconds * r.sample_rate));
  if (r.samples == 0) {
    throw UsageError(fmt::format("--seconds {}: that is not even one sample", o.seconds));
  }
  r.file_rate = o.rate != 0 ? o.rate : r.sample_rate;
  fill_in(r, model, engine);
}

// A run of takes with the same model, and within it with the same stretch of a clip.
using ModelKey = std::tuple<fs::path, int, std::string>;
using ClipKey = std::tuple<fs::path, double, double>;
ModelKey model_key(const RenderOptions& o) {
  return {model_of(o), o.model.model_rate, o.model.encoding};
}
ClipKey clip_key(const Take& t) {
  return {t.recipe.clip_path, t.recipe.clip_from_s, t.recipe.clip_to_s};
}

class Batch {
 public:
  Batch(const RenderOptions& base, const std::vector<RenderOptions>& orders)
      : base_(base),
        orders_(orders),
        teller_(base.quiet, base.json, is_standard_output(base.output.path)) {}

  int run() {
    std::vector<Take> takes = plan();
    several_ = takes.empty() || clip_key(takes.front()) != clip_key(takes.back());
    refuse_foreign(takes, base_.force);
    catch_interrupts();
    for (std::size_t at = 0; at < takes.size() && !stopped_;) {
      std::size_t end = at;
      const ModelKey key = model_key(order_of(takes[at]));
      while (end < takes.size() && model_key(order_of(takes[end])) == key) ++end;
      with_one_model({takes.begin() + static_cast<std::ptrdiff_t>(at),
                      takes.begin() + static_cast<std::ptrdiff_t>(end)});
      at = end;
    }
    teller_.summary();
    return teller_.exit_code();
  }

 private:
  const RenderOptions& order_of(const Take& t) const { return orders_[t.order]; }

  std::vector<Take> plan() {
    std::vector<Take> takes;
    for (std::size_t i = 0; i < orders_.size(); ++i) {
      try {
        plan(i, takes);
      } catch (const Error& e) {
        if (base_.jobs.empty()) throw;
        throw Error(
            fmt::format("{}, line {}: {}", base_.jobs.string(), orders_[i].output.job, e.what()));
      }
    }
    group(takes);
    must_differ(takes);
    takes = share_of(std::move(takes), base_.shard, base_.shards);
    std::uint64_t files = 0;
    double seconds = 0;
    std::map<const Contest*, int> contests;
    for (const Take& t : takes) {
      seconds += order_of(t).seconds * (t.draws ? t.recipe.finish.channels() : 0);
      const bool one_more = t.contest == nullptr || contests[t.contest.get()]++ < t.contest->keep;
      if (one_more) files += t.files.size();
    }
    teller_.plan(files, seconds);
    return takes;
  }

  void plan(std::size_t order, std::vector<Take>& takes) {
    const RenderOptions& o = orders_[order];
    note_input(model_of(o));
    if (const std::string why = why_missing(model_of(o)); !why.empty()) {
      throw Error(fmt::format("{}: {}", model_of(o).string(), why));
    }
    for (const fs::path& clip : clips_of(o)) {
      const std::string why = clip.empty() ? std::string() : why_missing(readable_path(clip));
      if (!why.empty()) throw Error(fmt::format("{}: {}", clip.string(), why));
      note_input(clip);
      if (takes.size() + static_cast<std::size_t>(o.output.count) > most_takes) {
        throw Error(fmt::format("expected {} takes in all at most: split the list", most_takes));
      }
      OutputChoice choice = o.output;
      if (!o.format.empty()) choice.format = parse_file_format(o.format);
      for (Take& take : plan_takes(base_of(o, clip), choice)) {
        take.order = order;
        check_bits(take.recipe);
        takes.push_back(std::move(take));
      }
    }
  }

  static void check_bits(const Recipe& r) {
    const bool there = r.format == FileFormat::wav || r.format == FileFormat::raw ||
                       r.finish.bits == SampleBits::pcm16 ||
                       (r.format == FileFormat::flac && r.finish.bits == SampleBits::pcm24);
    if (!there) {
      throw UsageError(fmt::format("--bits {} and {} files exclude each other",
                                   sample_bits_name(r.finish.bits),
                                   file_format_extension(r.format)));
    }
  }

  // In the order in which models, and of each the clips, are first asked for.
  void group(std::vector<Take>& takes) const {
    std::map<ModelKey, std::size_t> models;
    std::map<std::pair<ModelKey, ClipKey>, std::size_t> clips;
    std::vector<std::pair<std::pair<std::size_t, std::size_t>, std::size_t>> places;
    for (std::size_t i = 0; i < takes.size(); ++i) {
      const ModelKey model = model_key(order_of(takes[i]));
      const std::size_t m = models.try_emplace(model, models.size()).first->second;
      const std::size_t c =
          clips.try_emplace({model, clip_key(takes[i])}, clips.size()).first->second;
      places.push_back({{m, c}, i});
    }
    std::sort(places.begin(), places.end());
    std::vector<Take> sorted;
    sorted.reserve(takes.size());
    for (const auto& place : places) sorted.push_back(std::move(takes[place.second]));
    takes = std::move(sorted);
  }

  void with_one_model(std::vector<Take> takes) {
    const RenderOptions& first = order_of(takes.front());
    const auto model = open_model(first.model, base_.quiet || base_.json);
    const auto engine = open_engine(*model, first.compute);
    for (Take& take : takes) {
      expect_settings(take.recipe.layers, model->network(), *engine);
      complete(take.recipe, order_of(take), *model, *engine);
    }
    teller_.begin(model->config().sample_rate);
    for (std::size_t at = 0; at < takes.size() && !stopped_;) {
      std::size_t end = at;
      const ClipKey key = clip_key(takes[at]);
      while (end < takes.size() && clip_key(takes[end]) == key) ++end;
      with_one_clip({takes.begin() + static_cast<std::ptrdiff_t>(at),
                     takes.begin() + static_cast<std::ptrdiff_t>(end)},
                    *model, *engine);
      at = end;
    }
  }

  // One clip among several that cannot be used does not keep the others from being rendered.
  void with_one_clip(std::vector<Take> takes, const Model& model, const Engine& engine) {
    std::vector<std::uint8_t> seed;
    try {
      const Recipe& r = takes.front().recipe;
      const std::string hash = r.clip_path.empty() ? std::string() : hash_of(r.clip_path);
      for (Take& take : takes) take.recipe.clip_sha256 = hash;
      if (!base_.force) skip(takes);
      if (takes.empty()) return;
      const Recipe& left = takes.front().recipe;
      if (left.from_moment) {
        const auto moment = std::make_shared<const Moment>(read_moment(left.clip_path, model));
        for (Take& take : takes) take.moment = moment;
      } else if (!left.clip_path.empty()) {
        seed = load_codes(left.clip_path, model, {left.clip_from_s, left.clip_to_s},
                          base_.quiet || base_.json);
      }
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      if (!several_) throw;
      teller_.failed(e.what());
      return;
    }
    const RenderSummary part = render(engine, takes, seed, base_.parallel, teller_,
                                      limits_of(takes, seed, model.config()), &model.network());
    teller_.end(part, engine.description());
    stopped_ = part.interrupted;
  }

  void skip(std::vector<Take>& takes) {
    const auto seconds = [&] {
      double sum = 0;
      for (const Take& t : takes) {
        sum += order_of(t).seconds * (t.draws ? t.recipe.finish.channels() : 0);
      }
      return sum;
    };
    const double before = seconds();
    const std::vector<fs::path> skipped = skip_finished(takes);
    teller_.skip(skipped, before - seconds());
  }

  const RenderOptions& base_;
  const std::vector<RenderOptions>& orders_;
  RenderTeller teller_;
  bool several_ = false, stopped_ = false;
};

}  // namespace

TroubleLimits limits_of(std::span<const Take> takes, std::span<const std::uint8_t> clip,
                        const Config& config) {
  const auto guarded = [](const Take& take) { return take.recipe.guard; };
  if (std::none_of(takes.begin(), takes.end(), guarded)) return {};
  return guard_limits(config, clip, decode_table(config.encoding));
}

int render_batch(const RenderOptions& base, const std::vector<RenderOptions>& orders) {
  return Batch(base, orders).run();
}

void fill_in(Recipe& r, const Model& model, const Engine& engine) {
  r.version = MAMBO_VERSION;
  r.model_path = fs::absolute(model.path());
  r.model_name = model.config().name;
  r.model_sha256 = model.hash();
  r.backend = backend_name(engine.backend());
  r.engine = engine.description();
}

Finish finish_of(const RenderOptions& o) {
  Finish finish;
  finish.bits = parse_sample_bits(o.bits);
  finish.lufs = o.lufs;
  finish.match_level = o.match_level;
  finish.stereo = o.stereo;
  return finish;
}

}  // namespace mambo
