#include "app/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/files/paths.h"

namespace mambo {
namespace {

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
      ->check(between(100, 768000, "Hz"));
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
  app.add_option("--threads", o.threads, "cores used; 0: all")
      ->check(between(0, 1024, "threads"))
      ->capture_default_str();
}

void add_sampling_options(CLI::App& app, SamplingOptions& o) {
  app.add_option("--rng-seed", o.rng_seed,
                 "where the random numbers start: the same, the same sound")
      ->type_name("INTEGER")
      ->check(whole_64_bits())
      ->capture_default_str();
  add_choice_options(app, o, "the model's own");
}

void add_choice_options(CLI::App& app, SamplingChoice& o, const std::string& otherwise) {
  app.add_option(
         "--temperature", o.temperature,
         "0: the likeliest code; 1: as the network says\n(default: " + otherwise + ", or 1)")
      ->type_name("FLOAT")
      ->check(between(0, 10));
  app.add_option("--top-k", o.top_k,
                 "draw among the k likeliest codes; 0: all\n(default: " + otherwise + ", or 0)")
      ->type_name("INT")
      ->check(between(0, 256, "codes"));
  app.add_option(
         "--top-p", o.top_p,
         "draw among the likeliest codes of this share; 1: all\n(default: " + otherwise + ", or 1)")
      ->type_name("FLOAT")
      ->check(between(0.001, 1));
}

LoadOptions load_options(const ModelOptions& o) {
  LoadOptions load;
  if (o.model_rate != 0) load.sample_rate = o.model_rate;
  if (!o.encoding.empty()) load.encoding = parse_encoding(o.encoding);
  return load;
}

std::shared_ptr<const Model> open_model(const ModelOptions& o) {
  return Model::load(o.model.empty() ? default_model() : o.model, load_options(o));
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
  if (!notice.empty()) fmt::print(stderr, "mambo: {}\n", notice);
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
                                     double from_s, double to_s) {
  const Clip clip = load_clip(path, model.config().sample_rate);
  const auto at = [&](double s) {
    return static_cast<std::size_t>(
        std::min(std::round(s * clip.rate), static_cast<double>(clip.samples.size())));
  };
  const std::size_t begin = at(from_s);
  const std::size_t end = to_s > 0 ? at(to_s) : clip.samples.size();
  if (begin >= end) {
    throw Error(fmt::format("{}: expected a stretch inside its {:.3f} s, found {} s to {} s",
                            path.string(), clip.seconds(), from_s,
                            to_s > 0 ? to_s : clip.seconds()));
  }
  return encode(std::span(clip.samples).subspan(begin, end - begin), model.config().encoding);
}

}  // namespace mambo
