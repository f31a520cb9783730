#include "app/offline/recipe.h"

#include <fmt/core.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/control/control.h"
#include "app/files/text_file.h"
#include "kernels/error.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// 2: with the keys of Finish. What leaves the samples as they were drawn is 1, and the same file as
// before there were such keys.
constexpr int plain_format = 1;
constexpr int finished_format = 2;

// 0.9F as 0.9, not as 0.8999999761581421: still the same float when read.
double readable(float x) { return std::stod(fmt::format("{}", x)); }

// What decides the samples and their file.
Json essence(const Recipe& r) {
  Json j;
  j["mambo_recipe"] = r.finish == Finish{} ? plain_format : finished_format;
  j["part"] = part_name(r.part);
  j["model_sha256"] = r.model_sha256;
  j["model_name"] = r.model_name;
  j["sample_rate_hz"] = r.sample_rate;
  j["encoding"] = encoding_name(r.encoding);
  j["clip_sha256"] = r.clip_sha256.empty() ? Json(nullptr) : Json(r.clip_sha256);
  j["clip_from_seconds"] = r.clip_from_s;
  j["clip_to_seconds"] = r.clip_to_s;
  j["temperature"] = readable(r.sampling.temperature);
  j["top_k"] = r.sampling.top_k;
  j["top_p"] = readable(r.sampling.top_p);
  j["rng_seed"] = r.rng_seed;
  j["samples"] = r.samples;
  j["backend"] = r.backend;
  j["weights"] = r.weights;
  j["format"] = file_format_extension(r.format);
  j["file_rate_hz"] = r.file_rate;
  if (r.finish == Finish{}) return j;
  j["bits"] = sample_bits_name(r.finish.bits);
  j["fade_in_ms"] = r.finish.fade_in_ms;
  j["fade_out_ms"] = r.finish.fade_out_ms;
  j["normalize_lufs"] = r.finish.lufs ? Json(*r.finish.lufs) : Json(nullptr);
  j["channels"] = r.finish.channels();
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

Part parse_part(const std::string& name) {
  for (const Part p : {Part::continuation, Part::joined, Part::seed}) {
    if (name == part_name(p)) return p;
  }
  throw Error(fmt::format("expected a part of continuation, joined or seed, found \"{}\"", name));
}

double number_within(const Json& j, const char* key, double min, double max) {
  const auto value = j.at(key).get<double>();
  if (value >= min && value <= max) return value;
  throw Error(fmt::format("expected {} from {} to {}, found {}", key, min, max, value));
}

Finish read_finish(const Json& j) {
  Finish f;
  f.bits = parse_sample_bits(j.at("bits").get<std::string>());
  f.fade_in_ms = number_within(j, "fade_in_ms", 0, FinishLimits::max_fade_ms);
  f.fade_out_ms = number_within(j, "fade_out_ms", 0, FinishLimits::max_fade_ms);
  if (!j.at("normalize_lufs").is_null()) {
    f.lufs = number_within(j, "normalize_lufs", FinishLimits::min_lufs, FinishLimits::max_lufs);
  }
  const Json& channels = j.at("channels");
  if (channels != 1 && channels != 2) {
    throw Error(fmt::format("expected channels of 1 or 2, found {}", channels.dump()));
  }
  f.stereo = channels == 2;
  if (!f.stereo) return f;
  if (!j.at("rng_seed_right").is_number_unsigned()) {
    throw Error("expected rng_seed_right as a whole number of 0 or more");
  }
  f.rng_seed_right = j.at("rng_seed_right").get<std::uint64_t>();
  return f;
}

// Of what a batch needs to go on; the rest is for people.
Verdict read_verdict(const Json& j) {
  Verdict v;
  v.kept = static_cast<int>(number_within(j, "kept", 1, INT32_MAX));
  v.of = static_cast<int>(number_within(j, "of", 1, INT32_MAX));
  v.first_rng_seed = j.at("first_rng_seed").get<std::uint64_t>();
  v.rank = static_cast<int>(number_within(j, "rank", 1, INT32_MAX));
  return v;
}

// A recipe is untrusted input.
void check(const Recipe& r) {
  ControlChoice said;
  said.say(r.sampling);
  for (const ControlSpec& spec : kControlTable) {
    if (said[spec.id] && !in_range(spec, *said[spec.id])) {
      throw Error(
          fmt::format("expected {} {}, found {}", spec.key, range_text(spec), said[spec.id]->real));
    }
  }
  if (r.sample_rate < 1 || r.file_rate < 1 || r.samples > (1ULL << 40U)) {
    throw Error(fmt::format("expected rates and samples that exist, found {} Hz, {} Hz, {} samples",
                            r.sample_rate, r.file_rate, r.samples));
  }
  if (!(r.clip_from_s >= 0) || !(r.clip_to_s >= 0)) {
    throw Error(fmt::format("expected a stretch of the clip from 0 s on, found {} s to {} s",
                            r.clip_from_s, r.clip_to_s));
  }
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
  if (r.verdict) j["kept_of_many"] = verdict_json(*r.verdict);
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Recipe parse_recipe(const std::string& json, const std::string& where) {
  const Json j = Json::parse(json, nullptr, false);
  if (!j.is_object() || !j.contains("mambo_recipe")) {
    throw Error(fmt::format("{}: expected a recipe of mambo render, found {}", where,
                            j.is_discarded() ? "no JSON" : "other JSON"));
  }
  try {
    const Json& f = j.at("mambo_recipe");
    if (f != plain_format && f != finished_format) {
      throw Error(fmt::format("expected mambo_recipe {} or {}, found {}", plain_format,
                              finished_format, f.dump()));
    }
    Recipe r;
    const auto text = [&](const char* key) {
      const auto at = j.find(key);
      return at == j.end() || at->is_null() ? std::string() : at->get<std::string>();
    };
    // Exactly as written: a fraction or 1e30 has no place in an integer.
    const auto whole = [&](const char* key) {
      const Json& value = j.at(key);
      if (!value.is_number_unsigned()) {
        throw Error(
            fmt::format("expected {} as a whole number of 0 or more, found {}", key, value.dump()));
      }
      return value.get<std::uint64_t>();
    };
    r.version = text("mambo_version");
    r.part = parse_part(j.at("part").get<std::string>());
    r.model_path = text("model_path");
    r.model_name = text("model_name");
    r.model_sha256 = j.at("model_sha256").get<std::string>();
    r.sample_rate = j.at("sample_rate_hz").get<int>();
    r.encoding = parse_encoding(j.at("encoding").get<std::string>());
    r.clip_path = text("clip_path");
    r.clip_sha256 = text("clip_sha256");
    r.clip_from_s = j.at("clip_from_seconds").get<double>();
    r.clip_to_s = j.at("clip_to_seconds").get<double>();
    r.sampling.temperature = j.at("temperature").get<float>();
    r.sampling.top_k = j.at("top_k").get<int>();
    r.sampling.top_p = j.at("top_p").get<float>();
    r.rng_seed = whole("rng_seed");
    r.samples = whole("samples");
    r.backend = j.at("backend").get<std::string>();
    r.weights = j.at("weights").get<std::string>();
    r.engine = text("engine");
    r.format = parse_file_format(j.at("format").get<std::string>());
    r.file_rate = j.at("file_rate_hz").get<int>();
    r.file = text("file");
    r.file_sha256 = text("file_sha256");
    r.file_samples = j.value("file_samples", std::uint64_t{0});
    r.interrupted = j.value("interrupted", false);
    if (f == finished_format) r.finish = read_finish(j);
    if (j.contains("kept_of_many")) r.verdict = read_verdict(j.at("kept_of_many"));
    check(r);
    return r;
  } catch (const nlohmann::json::exception& e) {
    throw Error(fmt::format("{}: not a whole recipe of mambo render: {}", where, e.what()));
  } catch (const Error& e) {
    throw Error(fmt::format("{}: {}", where, e.what()));
  }
}

fs::path recipe_path(const fs::path& audio) { return fs::path(audio).replace_extension(".json"); }

void write_recipe(const fs::path& audio, const Recipe& r) {
  write_text_file(recipe_path(audio), recipe_json(r), Replace::any());
}

Recipe read_recipe(const fs::path& json) {
  const Mapping mapping = map_file(json);
  const auto* text = reinterpret_cast<const char*>(mapping.bytes.data());
  return parse_recipe(std::string(text, mapping.bytes.size()), json.string());
}

}  // namespace mambo
