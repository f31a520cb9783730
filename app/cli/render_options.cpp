#include "app/cli/render_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "app/offline/job_list.h"
#include "app/offline/output_name.h"
#include "app/usage_error.h"
#include "model/message.h"
#include "model/output_file.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

// "2/8", counted from 1.
CLI::Validator a_shard() {
  return CLI::Validator(
      [](std::string& text) {
        const std::size_t slash = text.find('/');
        int part = 0;
        int parts = 0;
        const bool numbers = slash != std::string::npos &&
                             CLI::detail::lexical_cast(text.substr(0, slash), part) &&
                             CLI::detail::lexical_cast(text.substr(slash + 1), parts);
        constexpr int most = 1000000;
        if (numbers && part >= 1 && part <= parts && parts <= most) return std::string();
        return fmt::format("expected K/N with K from 1 to N, found {}", text);
      },
      "", "shard");
}

std::string read_text(const fs::path& path) {
  std::string text;
  const auto take = [&](std::istream& in) {  // a little more than may be, so that it is refused
    text.resize(most_job_bytes + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
  };
  if (path == "-") {
    take(std::cin);
    return text;
  }
  if (const std::string why = why_missing(path); !why.empty()) {
    throw Error(fmt::format("{}: {}", path.string(), why));
  }
  std::error_code error;
  if (fs::is_directory(path, error)) {
    throw Error(fmt::format("{}: expected a job list, found a folder", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: the job list cannot be read", path.string()));
  take(file);
  return text;
}

// "rng_seed" -> "--rng-seed"; the clip of a job is that option's.
std::string option_of(const std::string& key) {
  std::string name = "--" + (key == "clip" ? "seed-clip" : key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// A parser of the same options, so that the same checks hold.
class JobParser {
 public:
  explicit JobParser(const RenderOptions& base) : base_(base), job_(base) {
    add_model_options(app_, job_.model);
    add_sound_options(app_, job_);
    add_file_options(app_, job_);
  }

  RenderOptions parse(const Job& job) {
    job_ = base_;
    job_.output.path.clear();
    job_.output.job = job.line;
    std::vector<std::string> words;
    for (const auto& [key, value] : job.values) words.push_back(word(key, value));
    app_.parse(words);
    if (app_.count("--output") == 0) {
      job_.output.path = base_.output.path;
    } else {
      must_stay_below(job_.output.path);
      job_.output.path = (base_.output.path.empty() ? "out" : base_.output.path) / job_.output.path;
    }
    if (app_.count("--seed-clip") > 0 && app_.count("--from-silence") == 0) {
      job_.from_silence = false;
    } else if (app_.count("--from-silence") > 0 && app_.count("--seed-clip") == 0 &&
               job_.from_silence) {
      job_.seed_clips.clear();
    }
    must_go_together(job_);
    return job_;
  }

 private:
  std::string word(const std::string& key, const std::string& value) const {
    const std::string name = option_of(key);
    const CLI::Option* option = name == "--help" ? nullptr : app_.get_option_no_throw(name);
    if (option == nullptr) {
      throw Error(fmt::format("expected keys of {}, found {}", known(), printable(key)));
    }
    if (value.empty()) throw Error(fmt::format("{}: expected a value, found an empty text", key));
    return name + "=" + value;
  }

  std::string known() const {
    std::vector<std::string> keys;
    for (const CLI::Option* option : app_.get_options()) {
      for (std::string key : option->get_lnames()) {
        if (key == "help") continue;
        if (key == "seed-clip") key = "clip";
        std::replace(key.begin(), key.end(), '-', '_');
        keys.push_back(key);
      }
    }
    return fmt::format("{}", fmt::join(keys, ", "));
  }

  const RenderOptions& base_;
  RenderOptions job_;
  CLI::App app_;
};

}  // namespace

void add_sound_options(CLI::App& app, RenderOptions& o) {
  app.add_option("--seed-clip,-s", o.seed_clips,
                 "sounds to continue, any format, rate and channels; of a folder, all\nthat lie in "
                 "it; - reads standard input (default: the shipped one for\nthe model)")
      ->type_name("FILE|DIR|-")
      ->check(a_name());
  app.add_flag("--from-silence", o.from_silence, "use no clip");
  app.add_option("--moment", o.moment,
                 "a moment to continue in place of a clip, saved by the window, with\nits random "
                 "numbers where --rng-seed does not say otherwise")
      ->type_name("FILE")
      ->check(a_name());
  app.add_option("--from", o.from_s, "start of the part of the clip to use")
      ->check(between(0, kMostSeconds, "s"));
  app.add_option("--to", o.to_s, "end of the part of the clip to use; 0: its end")
      ->check(between(0, kMostSeconds, "s"));
  app.add_option("--seconds,-t", o.seconds, "length of the continuation")
      ->check(between(0, kMostSeconds, "s"))
      ->capture_default_str();
  app.add_option("--count,-n", o.output.count,
                 "variations of each clip, with random seeds S, S+1, ...")
      ->check(between(1, 100000))
      ->capture_default_str();
  app.add_option("--keep", o.output.keep,
                 "of the variations only so many files: the likeliest that are as\nloud as the "
                 "clip; 0: all")
      ->check(between(0, 100000))
      ->capture_default_str();
  add_control_options(app, o.controls, {Scope::voice}, {"the model's own", ""});
  add_set_option(app, o.controls, {Scope::voice, Scope::layer});
}

void add_file_options(CLI::App& app, RenderOptions& o) {
  app.add_option(
         "-o,--output", o.output.path,
         fmt::format("a file (.wav .flac .ogg) or a folder; --count adds -000, -001, ...\n"
                     "Fields of a name: {}\nOr a pipe, or - for standard output, of one take "
                     "(default: out/)",
                     name_fields))
      ->type_name("FILE|DIR|-")
      ->check(a_name());
  app.add_option("--format", o.format,
                 "of files without an extension of theirs (default: wav); of a pipe:\nwav or raw, "
                 "little-endian samples without a header")
      ->check(one_of({"wav", "flac", "ogg", "raw"}));
  app.add_option("--rate", o.rate, "sampling rate of the file (default: the model's)")
      ->check(between(kLowestFileRate, kHighestFileRate, "Hz"));
  app.add_option("--bits", o.bits, "of a sample in wav and flac (flac: 16 or 24)")
      ->check(one_of({"16", "24", "float"}))
      ->capture_default_str();
  app.add_option("--normalize", o.lufs,
                 "loudness of each file (EBU R 128), as far as its true peak stays\nbelow -1 dBTP "
                 "(default: as drawn)")
      ->check(between(FinishLimits::min_lufs, FinishLimits::max_lufs, "LUFS"));
  app.add_flag("--guard", o.guard,
               "where the model falls silent for long, turns to noise or sticks in a\ntone, fade "
               "over to a moment when all was well; the recipe says where");
  app.add_flag(
      "--match-level", o.match_level,
      "bring the continuation slowly to the loudness of the clip's end, by\nat most 12 dB");
  for (const bool in : {true, false}) {
    app.add_option(in ? "--fade-in" : "--fade-out", in ? o.output.fade_in_ms : o.output.fade_out_ms,
                   fmt::format("at the {} of a file (default: {} where the sound is cut)",
                               in ? "beginning" : "end", cut_fade_ms))
        ->check(between(0, FinishLimits::max_fade_ms, "ms"));
  }
  app.add_flag("--stereo,!--mono", o.stereo,
               "two voices, left and right, with two random seeds: S and S+1, ...");
  app.add_flag("--with-seed", o.output.with_seed, "the clip before the continuation, in one file");
  app.add_flag("--stems", o.output.stems, "clip, continuation and both joined, one file each");
}

void add_run_options(CLI::App& app, RenderOptions& o) {
  app.add_option("--recipe", o.recipe,
                 "make the file of this recipe again (a .json beside a rendered file)")
      ->type_name("FILE")
      ->check(a_name());
  app.add_option("--performance", o.performance,
                 "draw a live recording again, from the .performance.jsonl beside it")
      ->type_name("FILE")
      ->check(a_name());
  app.add_option("--jobs", o.jobs,
                 "a list of renderings, JSON lines or CSV, - for standard input; each\nline has "
                 "these options as keys (clip, seconds, rng_seed, output, ...)")
      ->type_name("FILE")
      ->check(a_name());
  app.add_option_function<std::string>(
         "--shard",
         [&o](const std::string& text) {
           const std::size_t slash = text.find('/');
           o.shard = std::stoi(text.substr(0, slash));
           o.shards = std::stoi(text.substr(slash + 1));
         },
         "only part K of N of all files, which come out as they would whole")
      ->type_name("K/N")
      ->check(a_shard());
  app.add_option("--parallel", o.parallel,
                 "voices drawn at the same time; 0: as many as keep the device busy")
      ->check(between(0, 65536, "voices"))
      ->capture_default_str();
  app.add_flag("--force", o.force, "make existing files again, replace any file");
  app.add_flag("--quiet,-q", o.quiet, "print nothing but errors (and --json)");
  app.add_flag("--json", o.json, "one line of JSON about the files");
}

void must_go_together(const RenderOptions& o) {
  if (o.from_silence && !o.seed_clips.empty()) {
    throw UsageError("--from-silence and --seed-clip exclude each other");
  }
  if (!o.moment.empty() && (o.from_silence || !o.seed_clips.empty())) {
    throw UsageError("--moment is continued in place of a clip: leave out --seed-clip");
  }
  if (!o.moment.empty() && (o.output.stems || o.output.with_seed)) {
    throw UsageError("--moment has no sound of its own: leave out --stems and --with-seed");
  }
  if (!o.moment.empty() && (o.from_s > 0 || o.to_s > 0)) {
    throw UsageError("--from and --to are of a clip: leave them out with --moment");
  }
  if (o.output.stems && o.output.with_seed) {
    throw UsageError("--stems and --with-seed exclude each other: stems hold both joined anyway");
  }
  if (o.output.stems && o.lufs) {
    throw UsageError("--stems and --normalize exclude each other: stems keep their levels");
  }
  if (o.output.keep > o.output.count) {
    throw UsageError(fmt::format("expected --keep up to --count, found {} of {}", o.output.keep,
                                 o.output.count));
  }
  if (o.to_s > 0 && o.to_s <= o.from_s) {
    throw UsageError(
        fmt::format("expected --to after --from, found {} s to {} s", o.from_s, o.to_s));
  }
}

std::vector<RenderOptions> read_orders(const RenderOptions& base) {
  const std::string where = base.jobs == "-" ? "standard input" : base.jobs.string();
  const std::vector<Job> jobs = parse_job_list(read_text(base.jobs), where);
  note_input(base.jobs);
  JobParser parser(base);
  std::vector<RenderOptions> orders;
  orders.reserve(jobs.size());
  for (const Job& job : jobs) {
    try {
      orders.push_back(parser.parse(job));
    } catch (const CLI::ParseError& e) {
      throw Error(fmt::format("{}, line {}: {}", where, job.line, e.what()));
    } catch (const Error& e) {
      throw Error(fmt::format("{}, line {}: {}", where, job.line, e.what()));
    }
  }
  return orders;
}

}  // namespace mambo
