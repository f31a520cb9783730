#include "app/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/files/paths.h"
#include "app/files/standard_input.h"
#include "model/message.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

constexpr std::size_t kHelpWidth = 70;

// A double cannot tell the last of these from the first too large one.
CLI::Validator whole_64_bits() {
  return CLI::Validator(
      [](std::string& text) {
        std::uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stop == end) return std::string();
        return fmt::format("expected a whole number from 0 to 2^64 - 1, found {}", text);
      },
      "0 or more", "range");
}

LoadProgress until_interrupted(Progress& progress) {
  return [&progress](double share) {
    progress.update(share, 1, 0);
    return !interrupted();
  };
}

// --match-level and --no-match-level.
void add_switch(CLI::App& app, ControlChoice& o, const ControlSpec& spec) {
  const std::string name = option_name(spec);
  app.add_flag_function(
      name + ",!--no-" + name.substr(2), [&o, id = spec.id](std::int64_t n) { o.say(id, n > 0); },
      wrapped(spec.help, kHelpWidth) +
          fmt::format("\n(default: {})", spec.normal.real != 0 ? "on" : "off"));
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& o) {
  app.add_option("--model,-m", o.model,
                 "a .safetensors file, or a folder of transformers' MambaForCausalLM\n"
                 "(default: the shipped model)")
      ->type_name("PATH")
      ->check(a_name());
  add_load_options(app, o);
}

void add_load_options(CLI::App& app, ModelOptions& o) {
  app.add_option("--model-rate", o.model_rate, "sampling rate of a model that does not say its own")
      ->check(between(kLowestRate, kHighestRate, "Hz"));
  app.add_option("--encoding", o.encoding, "encoding of a model that does not say its own")
      ->check(one_of({"mulaw8", "linear8"}));
}

void add_compute_options(CLI::App& app, ComputeOptions& o) {
  app.add_option("--backend", o.backend, "what computes; auto: the best there is")
      ->check(one_of({"cpu", "cuda", "auto"}))
      ->capture_default_str();
  app.add_option("--weights", o.weights, "how weights are kept: half (16 bits) or f32")
      ->check(one_of({"half", "f32"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "cores used; 0: all that this process may use")
      ->check(between(0, 1024, "threads"))
      ->capture_default_str();
}

std::string option_name(const ControlSpec& spec) {
  std::string name = std::string("--") + spec.key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string wrapped(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::size_t word = end - at;
    if (column > 0) {
      const bool fits = column + 1 + word <= width;
      out += fits ? ' ' : '\n';
      column = fits ? column + 1 : 0;
    }
    out.append(text, at, word);
    column += word;
    at = end + 1;
  }
  return out;
}

void add_control_options(CLI::App& app, ControlChoice& o, const std::vector<Scope>& scopes,
                         const Otherwise& otherwise) {
  ControlChoice of_models;
  of_models.say(SamplingParams{});
  for (const ControlSpec& spec : kControlTable) {
    if (std::find(scopes.begin(), scopes.end(), spec.scope) == scopes.end()) continue;
    if (spec.happens() || spec.id == ControlId::playing) continue;
    if (spec.kind == ControlKind::toggle) {
      add_switch(app, o, spec);
      continue;
    }
    const bool whole = spec.kind == ControlKind::whole64;
    const std::string normal =
        whole ? fmt::format("{}", spec.normal.whole) : fmt::format("{}", spec.normal.real);
    const std::string& before = of_models[spec.id] ? otherwise.model : otherwise.rest;
    const std::string help =
        wrapped(spec.help, kHelpWidth) +
        fmt::format("\n(default: {})",
                    before.empty() ? normal : fmt::format("{}, or {}", before, normal));
    const auto take = [&o, id = spec.id, kind = spec.kind](const CLI::results_t& words) {
      ControlValue value;
      const std::string& word = words.front();
      if (kind == ControlKind::whole64 ? !CLI::detail::lexical_cast(word, value.whole)
                                       : !CLI::detail::lexical_cast(word, value.real)) {
        return false;
      }
      if (kind == ControlKind::integer && value.real != std::floor(value.real)) return false;
      o[id] = value;
      return true;
    };
    CLI::Option* option = app.add_option(option_name(spec), take, help);
    if (whole) {
      option->type_name("INTEGER")->check(whole_64_bits());
    } else if (spec.kind == ControlKind::integer) {
      option->type_name("INT")->check(between(spec.min, spec.max, spec.unit));
    } else {
      option->type_name("FLOAT")->check(between(spec.min, spec.max, spec.unit));
    }
  }
}

void add_set_option(CLI::App& app, ControlChoice& o, const std::vector<Scope>& scopes) {
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&o, scopes](const std::vector<std::string>& assignments) {
           for (const std::string& assignment : assignments) {
             try {
               say_assignment(o, assignment, scopes);
             } catch (const Error& e) {
               throw CLI::ValidationError("--set", e.what());
             }
           }
         },
         "a control of `mambo controls` by its name, as in hold_B.tier1=1; may be\ngiven several "
         "times. Layers are named as in `mambo info`: all (the\ndefault), tier0 (the outermost), "
         "or one, as down.0.1")
      ->type_name("CONTROL[.TARGET]=VALUE")
      ->delimiter(',')
      ->allow_extra_args(false);
}

LoadOptions load_options(const ModelOptions& o) {
  LoadOptions load;
  if (o.model_rate != 0) load.sample_rate = o.model_rate;
  if (!o.encoding.empty()) load.encoding = parse_encoding(o.encoding);
  return load;
}

std::shared_ptr<const Model> open_model(const ModelOptions& o, bool quiet) {
  Progress progress("reading the model", quiet);
  return Model::load(o.model.empty() ? default_model() : o.model, load_options(o),
                     until_interrupted(progress));
}

EngineOptions engine_options(const ComputeOptions& o) {
  EngineOptions options;
  options.storage = o.weights == "f32" ? WeightStorage::f32 : WeightStorage::half;
  options.threads = o.threads;
  return options;
}

std::unique_ptr<Engine> open_engine(const Model& model, const ComputeOptions& o) {
  return open_engine(model.network(), o);
}

std::unique_ptr<Engine> open_engine(const NetworkView& net, const ComputeOptions& o) {
  std::string notice;
  auto engine = make_engine(net, o.backend, engine_options(o), &notice);
  tell_notice(notice);
  return engine;
}

void tell_notice(const std::string& notice) {
  if (!notice.empty()) say("mambo: {}\n", notice);
}

CLI::Validator between(double lo, double hi, const std::string& unit) {
  const std::string space = unit.empty() ? "" : " " + unit;
  const std::string range = fmt::format("{:.15g} to {:.15g}{}", lo, hi, space);
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= lo && value <= hi) {
          return std::string();
        }
        return fmt::format("expected {}, found {}", range, text);
      },
      range, "range");
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  std::string words;
  for (std::size_t i = 0; i < names.size(); ++i)
    words += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return CLI::Validator(
      [=](std::string& text) {
        const bool known = std::find(names.begin(), names.end(), text) != names.end();
        return known ? std::string() : fmt::format("expected {}, found {}", words, text);
      },
      fmt::format("{{{}}}", fmt::join(names, ",")), "one of");
}

CLI::Validator a_name() {
  return CLI::Validator(
      [](std::string& text) {
        return std::string(text.empty() ? "expected a name, found an empty one" : "");
      },
      "", "name");
}

std::filesystem::path shipped_seed_clip(const std::filesystem::path& model) {
  std::filesystem::path clip = default_seed_clip(model);
  if (clip.empty()) {
    throw Error(fmt::format("no seed clip is shipped in {}: name one with --seed-clip",
                            (assets_dir() / "seeds").string()));
  }
  return clip;
}

std::vector<std::uint8_t> load_codes(const std::filesystem::path& path, const Model& model,
                                     const Stretch& stretch, bool quiet) {
  const std::filesystem::path place = readable_path(path);
  Progress progress("reading " + printable(clip_name(path).filename().string()), quiet);
  try {
    return load_clip_codes(place, model.config().sample_rate, model.config().encoding, stretch,
                           until_interrupted(progress))
        .codes;
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    if (!is_standard_input(path)) throw;
    std::string what = e.what();  // by the name that was asked for
    if (what.starts_with(place.string())) what.erase(0, place.string().size() + 2);
    throw Error(clip_name(path).string() + ": " + what);
  }
}

std::string hash_of(const std::filesystem::path& file) {
  return sha256_file(readable_path(file), [](double) { return !interrupted(); });
}

void must_be_there(const std::filesystem::path& path, const std::string& option) {
  const std::string why = why_missing(path);
  if (!why.empty()) throw Error(fmt::format("{}: {}; {}", path.string(), why, option));
}

}  // namespace mambo
