#include "app/gui/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/files/paths.h"
#include "app/gui/plot/colormap.h"
#include "kernels/error.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
constexpr std::size_t most_recent = 8;

// Every field by name, once: `f(key, member)` reads or writes it.
template <class S, class F>
void each_field(S& s, F&& f) {
  f("model", s.model);
  f("clip", s.clip);
  f("recent_models", s.recent_models);
  f("recent_clips", s.recent_clips);
  f("device", s.device);
  f("latency_s", s.latency_s);
  f("level_db", s.level_db);
  f("temperature", s.sampling.temperature);
  f("top_k", s.sampling.top_k);
  f("top_p", s.sampling.top_p);
  f("sampling_of", s.sampling_of);
  f("rng_seed", s.rng_seed);
  f("layer", s.layer);
  f("layer_colour", s.layer_colour);
  f("channel_colour", s.channel_colour);
  f("channel_order", s.channel_order);
  f("colour_map", s.colour_map);
  f("log_frequency", s.log_frequency);
  f("span_s", s.span_s);
  f("zoom", s.zoom);
  f("width", s.width);
  f("height", s.height);
}

template <class T>
T sane(T value, T lo, T hi, T fallback) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return fallback;
  }
  return std::clamp(value, lo, hi);
}

void bring_into_range(Settings& s) {
  const Settings d;
  s.latency_s = sane(s.latency_s, 0.01, 1.0, d.latency_s);
  s.level_db = sane(s.level_db, lowest_level_db, highest_level_db, d.level_db);
  s.sampling.temperature = sane(s.sampling.temperature, 0.0F, 10.0F, 1.0F);
  s.sampling.top_k = std::clamp(s.sampling.top_k, 0, 256);
  s.sampling.top_p = sane(s.sampling.top_p, 0.0F, 1.0F, 1.0F);
  s.layer = std::max(s.layer, -1);
  if (s.layer_colour > DeltaColour::change) s.layer_colour = d.layer_colour;
  if (s.channel_colour > DeltaColour::change) s.channel_colour = d.channel_colour;
  if (s.channel_order != ChannelOrder::index) s.channel_order = ChannelOrder::horizon;
  s.colour_map = std::clamp(s.colour_map, 0, colour_maps - 1);
  s.span_s = sane(s.span_s, 0.001, 60.0, d.span_s);
  s.zoom = sane(s.zoom, 0.5F, 3.0F, d.zoom);
  s.width = std::clamp(s.width, Settings::least_width, 16384);
  s.height = std::clamp(s.height, Settings::least_height, 16384);
  if (s.recent_models.size() > most_recent) s.recent_models.resize(most_recent);
  if (s.recent_clips.size() > most_recent) s.recent_clips.resize(most_recent);
}

}  // namespace

fs::path settings_path() { return config_dir() / "window.json"; }

Settings load_settings(const fs::path& path, std::string& complaint) {
  Settings s;
  std::error_code missing;
  if (!fs::exists(path, missing)) return s;
  try {
    std::ifstream file(path);
    const Json json = Json::parse(file);
    if (!json.is_object()) throw Error("expected an object, found another kind of value");
    each_field(s, [&json](const char* key, auto& value) {
      if (const auto it = json.find(key); it != json.end()) it->get_to(value);
    });
    bring_into_range(s);
    return s;
  } catch (const std::exception& e) {
    complaint = fmt::format("the settings in {} cannot be read and were left aside ({})",
                            path.string(), e.what());
    return {};
  }
}

void save_settings(const fs::path& path, const Settings& settings) {
  Json json = Json::object();
  each_field(settings, [&json](const char* key, const auto& value) { json[key] = value; });
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path aside = fs::path(path).concat(".new");
  {
    std::ofstream file(aside, std::ios::trunc);
    file << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    file.flush();
    if (!file) throw Error(fmt::format("the settings cannot be written to {}", path.string()));
  }
  fs::rename(aside, path, error);
  if (error) {
    throw Error(
        fmt::format("the settings cannot be written to {}: {}", path.string(), error.message()));
  }
}

void remember(std::vector<std::string>& recent, const std::string& path) {
  recent.erase(std::remove(recent.begin(), recent.end(), path), recent.end());
  recent.insert(recent.begin(), path);
  if (recent.size() > most_recent) recent.resize(most_recent);
}

}  // namespace mambo::gui
