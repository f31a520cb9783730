#include "app/offline/recipe.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "app/control/control_json.h"
#include "app/control/sampling_controls.h"
#include "app/files/text_file.h"
#include "kernels/engine.h"
#include "kernels/error.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

// 2: with the keys of Finish. What leaves the samples as they were drawn is 1, and the same file as
// before there were such keys. 3: with those, and controls that came later (of layers
// too), where they act.
constexpr int plain_format = 1;
constexpr int finished_format = 2;
// Of the guard's decisions: another where the same sound would be judged otherwise.
constexpr int guard_format = 1;
constexpr int controls_format = 3;
constexpr std::array later_controls = {ControlId::min_p, ControlId::floor, ControlId::gate};

bool is_off(const Recipe& r, ControlId id) {
  return sampling_value(r.sampling, id) == control_spec(id).normal.real;
}

int format_of(const Recipe& r) {
  if (!r.layers.empty()) return controls_format;
  for (const ControlId id : later_controls) {
    if (!is_off(r, id)) return controls_format;
  }
  return r.finish == Finish{} ? plain_format : finished_format;
}

// 0.9F as 0.9, not as 0.8999999761581421: still the same float when read.
double readable(float x) { return std::stod(fmt::format("{}", x)); }

// What decides the samples and their file.
Json essence(const Recipe& r) {
  Json j;
  j["mambo_recipe"] = format_of(r);
  j["part"] = part_name(r.part);
  j["model_sha256"] = r.model_sha256;
  j["model_name"] = r.model_name;
  j["sample_rate_hz"] = r.sample_rate;
  j["encoding"] = encoding_name(r.encoding);
  j["clip_sha256"] = r.clip_sha256.empty() ? Json(nullptr) : Json(r.clip_sha256);
  if (r.from_moment) j["from_moment"] = true;
  j["clip_from_seconds"] = r.clip_from_s;
  j["clip_to_seconds"] = r.clip_to_s;
  j["temperature"] = readable(r.sampling.temperature);
  j["top_k"] = r.sampling.top_k;
  j["top_p"] = readable(r.sampling.top_p);
  for (const ControlId id : later_controls) {
    if (is_off(r, id)) continue;
    j[control_spec(id).key] = readable(static_cast<float>(sampling_value(r.sampling, id)));
  }
  if (r.guard) j["guard"] = guard_format;
  j["rng_seed"] = r.rng_seed;
  j["samples"] = r.samples;
  j["backend"] = r.backend;
  j["weights"] = r.weights;
  j["format"] = file_format_extension(r.format);
  j["file_rate_hz"] = r.file_rate;
  if (!r.layers.empty()) j["set"] = settings_json(r.layers);
  if (format_of(r) == plain_format) return j;
  j["bits"] = sample_bits_name(r.finish.bits);
  j["fade_in_ms"] = r.finish.fade_in_ms;
  j["fade_out_ms"] = r.finish.fade_out_ms;
  j["normalize_lufs"] = r.finish.lufs ? Json(*r.finish.lufs) : Json(nullptr);
  j["channels"] = r.finish.channels();
  if (r.finish.match_level) j["match_level"] = true;
  if (r.finish.stereo) j["rng_seed_right"] = r.finish.rng_seed_right;
  return j;
}

Json verdict_json(const Verdict& v) {
  Json j;
  j["kept"] = v.kept;
  j["of"] = v.of;
  j["first_rng_seed"] = v.first_rng_seed;
  j["rank"] = v.rank;
  j["bits_per_sample"] = v.bits_per_sample;
  j["level_dbfs"] = v.level_dbfs;
  j["score"] = v.score;
  return j;
}

Json brought_back_json(const Recipe& r) {
  Json all = Json::array();
  constexpr std::size_t most = 1000;  // of a file that read_recipe() still reads
  for (const BroughtBack& b : r.brought_back) {
    if (all.size() == most) break;
    Json j;
    j["at_sample"] = b.at;
    j["from"] = trouble_name(b.from);
    j["to_sample"] = b.to;
    if (r.finish.stereo) j["voice"] = b.voice;
    all.push_back(std::move(j));
  }
  return all;
}

Part parse_part(const std::string& name) {
  for (const Part p : {Part::continuation, Part::joined, Part::seed}) {
    if (name == part_name(p)) return p;
  }
  throw Error(fmt::format("expected a part of continuation, joined or seed, found \"{}\"", name));
}

Finish read_finish(const JsonFields& f) {
  Finish finish;
  finish.bits = parse_sample_bits(f.one_of("bits", {"16", "24", "float"}));
  finish.fade_in_ms = f.real("fade_in_ms", 0, FinishLimits::max_fade_ms);
  finish.fade_out_ms = f.real("fade_out_ms", 0, FinishLimits::max_fade_ms);
  if (!f.at("normalize_lufs").is_null()) {
    finish.lufs = f.real("normalize_lufs", FinishLimits::min_lufs, FinishLimits::max_lufs);
  }
  if (f.has("match_level")) {
    finish.match_level = json_bool(f.at("match_level"), f.where(), "match_level");
  }
  finish.stereo = f.integer("channels", 1, 2) == 2;
  if (finish.stereo) finish.rng_seed_right = f.whole("rng_seed_right", UINT64_MAX);
  return finish;
}

// Of what a batch needs to go on; the rest is for people.
Verdict read_verdict(const JsonFields& f) {
  Verdict v;
  v.kept = f.integer("kept", 1, INT32_MAX);
  v.of = f.integer("of", 1, INT32_MAX);
  v.first_rng_seed = f.whole("first_rng_seed", UINT64_MAX);
  v.rank = f.integer("rank", 1, INT32_MAX);
  return v;
}

// A stretch of the clip, in seconds, as --from and --to take it.
double read_seconds(const JsonFields& f, const char* key) { return f.real(key, 0, kMostSeconds); }

SamplingParams read_sampling(const JsonFields& f, int format) {
  return sampling_of([&](ControlId id) {
    const ControlSpec& spec = control_spec(id);
    const bool later =
        std::find(later_controls.begin(), later_controls.end(), id) != later_controls.end();
    if (later && (format < controls_format || !f.has(spec.key))) return spec.normal.real;
    return json_control(f.at(spec.key), f.where(), spec).real;
  });
}

std::vector<LayerSetting> read_layers(const JsonFields& f) {
  const std::string where = f.where() + ": set";
  const Json& all = f.at("set");
  if (!all.is_object()) {
    throw Error(
        fmt::format("{}: expected values by the names of controls, found {}", where, shown(all)));
  }
  std::vector<LayerSetting> layers;
  for (const auto& [name, value] : all.items()) {
    NamedControl named;
    try {
      named = parse_control_name(name);
    } catch (const Error& e) {
      throw Error(where + ": " + e.what());
    }
    if (layer_value(named.spec->id) >= kLayerValues) {
      throw Error(fmt::format("{}: expected a control of layers that has a value, found {}", where,
                              printable(name)));
    }
    layers.push_back({named.spec->id, named.target, json_control(value, where, *named.spec).real});
  }
  return in_short(layers);
}

int read_file_rate(const JsonFields& f, int model_rate) {
  const Json& value = f.at("file_rate_hz");
  if (value == model_rate) return model_rate;
  return f.integer("file_rate_hz", kLowestFileRate, kHighestFileRate);
}

// The name of the file that lies, or will lie, beside the recipe: never one elsewhere, nor of
// another kind.
std::string read_file_name(const JsonFields& f, FileFormat format) {
  std::string name = f.file_name("file");
  std::string extension = fs::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const std::string expected = fmt::format(".{}", file_format_extension(format));
      extension != expected) {
    throw Error(fmt::format("{}: file: expected a name that ends in {}, found {}", f.where(),
                            expected, printable(name)));
  }
  return name;
}

}  // namespace

const char* part_name(Part p) {
  switch (p) {
    case Part::continuation:
      return "continuation";
    case Part::joined:
      return "joined";
    case Part::seed:
      return "seed";
  }
  return "continuation";
}

bool same_sound(const Recipe& a, const Recipe& b) { return essence(a) == essence(b); }

std::string recipe_metadata(const Recipe& r) {
  Json j = essence(r);
  j["mambo_version"] = r.version;
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string recipe_json(const Recipe& r) {
  Json j = essence(r);
  j["mambo_version"] = r.version;
  j["engine"] = r.engine;
  j["model_path"] = r.model_path.string();
  j["clip_path"] = r.clip_path.empty() ? Json(nullptr) : Json(r.clip_path.string());
  j["file"] = r.file;
  j["file_samples"] = r.file_samples;
  j["file_sha256"] = r.file_sha256;
  j["interrupted"] = r.interrupted;
  if (r.finish.lufs) {
    j["gain_db"] = r.gain_db;
    j["loudness_lufs"] = r.loudness_lufs ? Json(*r.loudness_lufs) : Json(nullptr);
  }
  // Of renders that drew something.
  if (r.continuation_lufs) {
    j["clip_lufs"] = r.clip_lufs ? Json(*r.clip_lufs) : Json(nullptr);
    j["continuation_lufs"] = *r.continuation_lufs;
  }
  if (r.guard) {
    j["brought_back_times"] = r.brought_back.size();
    j["brought_back"] = brought_back_json(r);
  }
  if (r.verdict) j["kept_of_many"] = verdict_json(*r.verdict);
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Recipe parse_recipe(std::string_view json, const std::string& where) {
  if (!Json::accept(json)) {  // no place in it: it may be a sound file
    throw Error(where + ": expected a recipe of mambo render, found no JSON");
  }
  const Json object = parse_json(json, where);
  if (!object.is_object() || !object.contains("mambo_recipe")) {
    throw Error(where + ": expected a recipe of mambo render, found other JSON");
  }
  const JsonFields f(object, where);
  const int format = f.integer("mambo_recipe", plain_format, controls_format);
  Recipe r;
  r.version = f.text_or("mambo_version", "");
  r.part = parse_part(f.one_of("part", {"continuation", "joined", "seed"}));
  r.model_path = f.path("model_path");
  r.model_name = f.text_or("model_name", "");
  r.model_sha256 = f.hash("model_sha256");
  r.sample_rate = f.integer("sample_rate_hz", kLowestRate, kHighestRate);
  r.encoding = parse_encoding(f.one_of("encoding", {"mulaw8", "linear8"}));
  r.clip_path = f.path("clip_path");
  if (f.has("clip_sha256") && !f.at("clip_sha256").is_null()) r.clip_sha256 = f.hash("clip_sha256");
  if (f.has("from_moment")) {
    r.from_moment = json_bool(f.at("from_moment"), where, "from_moment");
  }
  r.clip_from_s = read_seconds(f, "clip_from_seconds");
  r.clip_to_s = read_seconds(f, "clip_to_seconds");
  r.sampling = read_sampling(f, format);
  if (f.has("guard")) r.guard = f.integer("guard", guard_format, guard_format) == guard_format;
  r.rng_seed = f.whole("rng_seed", UINT64_MAX);
  r.samples = f.whole("samples", static_cast<std::uint64_t>(kMostSeconds) *
                                     static_cast<std::uint64_t>(r.sample_rate));
  r.backend = f.one_of("backend", {backend_name(Backend::cpu), backend_name(Backend::cuda)});
  r.weights = f.one_of("weights", {"half", "f32"});
  r.engine = f.text_or("engine", "");
  r.format = parse_file_format(f.one_of("format", {"wav", "flac", "ogg"}));
  r.file_rate = read_file_rate(f, r.sample_rate);
  if (format >= finished_format) r.finish = read_finish(f);
  if (format == controls_format && f.has("set")) r.layers = read_layers(f);
  // What follows is of the file beside, and not there in a sound file's metadata.
  if (f.has("file")) r.file = read_file_name(f, r.format);
  if (!f.text_or("file_sha256", "").empty()) r.file_sha256 = f.hash("file_sha256");
  if (f.has("file_samples")) r.file_samples = f.whole("file_samples", 1ULL << 50U);
  if (f.has("interrupted")) {
    r.interrupted = json_bool(f.at("interrupted"), where, "interrupted");
  }
  if (f.has("kept_of_many")) {
    r.verdict = read_verdict(JsonFields(f.at("kept_of_many"), where + ": kept_of_many"));
  }
  return r;
}

fs::path recipe_path(const fs::path& audio) { return fs::path(audio).replace_extension(".json"); }

void write_recipe(const fs::path& audio, const Recipe& r) {
  write_text_file(recipe_path(audio), recipe_json(r), Replace::any());
}

Recipe read_recipe(const fs::path& json) {
  constexpr std::uint64_t most = 1U << 20U;  // bytes; names make most of the few thousand
  return parse_recipe(load_bytes(json, most).text(), json.string());
}

}  // namespace mambo
