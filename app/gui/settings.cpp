#include "app/gui/settings.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>
#include <type_traits>

#include "app/files/paths.h"
#include "app/files/text_file.h"
#include "app/gui/plot/colormap.h"
#include "kernels/error.h"
#include "model/json_text.h"
#include "model/platform_file.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_recent = 8;
constexpr std::size_t most_bytes = 1U << 20U;

// Every field by name, once: `f(key, member)` reads or writes it.
template <class S, class F>
void each_field(S& s, F&& f) {
  f("model", s.model);
  f("clip", s.clip);
  f("recent_models", s.recent_models);
  f("recent_clips", s.recent_clips);
  f("device", s.device);
  f("layer", s.layer);
  f("layer_colour", s.layer_colour);
  f("channel_colour", s.channel_colour);
  f("channel_order", s.channel_order);
  f("colour_map", s.colour_map);
  f("log_frequency", s.log_frequency);
  f("ablation", s.ablation);
  f("raise_latency", s.raise_latency);
  f("span_s", s.span_s);
  f("zoom", s.zoom);
  f("width", s.width);
  f("height", s.height);
}

// The nearest of lo..hi to what is written: it may be of another version, or anyone's.
double nearest(const JsonFields& f, const char* key, double lo, double hi) {
  constexpr double most = std::numeric_limits<double>::max();
  return std::clamp(f.real(key, -most, most), lo, hi);
}

template <class T>
void read_number(const JsonFields& f, const char* key, T& value) {
  using Limits = std::numeric_limits<T>;
  const double number =
      nearest(f, key, static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max()));
  value = static_cast<T>(std::is_integral_v<T> ? std::round(number) : number);
}

void read(const JsonFields& f, const char* key, int& value) { read_number(f, key, value); }
void read(const JsonFields& f, const char* key, float& value) { read_number(f, key, value); }
void read(const JsonFields& f, const char* key, double& value) { read_number(f, key, value); }
void read(const JsonFields& f, const char* key, bool& value) {
  value = json_bool(f.at(key), f.where(), key);
}
void read(const JsonFields& f, const char* key, std::string& value) {
  value = f.path(key).string();
}
template <class E>
std::enable_if_t<std::is_enum_v<E>> read(const JsonFields& f, const char* key, E& value) {
  std::uint8_t number = 0;
  read_number(f, key, number);
  value = static_cast<E>(number);  // bring_into_range() knows which there are
}
void read(const JsonFields& f, const char* key, std::vector<std::string>& value) {
  const Json& list = f.at(key);
  if (!list.is_array()) {
    throw Error(f.where() + ": " + key + ": expected a list of names, found " + shown(list));
  }
  for (const Json& name : list) {
    std::string text = json_string(name, f.where(), key);
    if (value.size() < most_recent && text.find('\0') == std::string::npos) {
      value.push_back(std::move(text));
    }
  }
}

void read_control(ControlChoice& controls, ControlId id, const JsonFields& f, const char* key,
                  double scale = 1) {
  const ControlSpec& spec = control_spec(id);
  ControlValue value;
  if (spec.kind == ControlKind::whole64) {
    value.whole = f.whole(key, UINT64_MAX);
  } else {
    value.real = nearest(f, key, spec.min / scale, spec.max / scale) * scale;
  }
  controls[id] = clamped(spec, value);
}

// Files of mambo 0.1 have the controls beside the rest, latency in seconds, and in sampling_of the
// model that temperature, top k and top p were set for.
void read_old_controls(ControlChoice& controls, const JsonFields& f, const std::string& model) {
  const auto read = [&](const char* key, ControlId id, double scale = 1) {
    if (f.has(key)) read_control(controls, id, f, key, scale);
  };
  read("latency_s", ControlId::latency, 1000);
  read("level_db", ControlId::level);
  read("rng_seed", ControlId::rng_seed);
  if (f.has("sampling_of") && f.text("sampling_of") != model) return;
  read("temperature", ControlId::temperature);
  read("top_k", ControlId::top_k);
  read("top_p", ControlId::top_p);
}

void read_controls(ControlChoice& controls, const JsonFields& f) {
  if (!f.has("controls")) return;
  const JsonFields all(f.at("controls"), f.where() + ": controls");
  for (const ControlSpec& spec : kControlTable) {
    if (all.has(spec.key) && is_remembered(spec)) read_control(controls, spec.id, all, spec.key);
  }
}

Json written_controls(const ControlChoice& controls) {
  Json json = Json::object();
  for (const ControlSpec& spec : kControlTable) {
    const auto& value = controls[spec.id];
    if (!value || !is_remembered(spec)) continue;
    if (spec.kind == ControlKind::whole64) {
      json[spec.key] = value->whole;
    } else {
      json[spec.key] = value->real;
    }
  }
  return json;
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

Json as_json(const Settings& settings) {
  Json json = Json::object();
  each_field(settings, [&json](const char* key, const auto& value) { json[key] = value; });
  json["controls"] = written_controls(settings.controls);
  return json;
}

// What changed from `before` to `after`, put into `present`: by key, and within controls by
// control.
Json merged(const Json& before, const Json& after, Json present) {
  for (const auto& [key, value] : after.items()) {
    const auto was = before.find(key);
    if (was != before.end() && *was == value && present.contains(key)) continue;
    const bool both = value.is_object() && was != before.end() && present.contains(key) &&
                      present[key].is_object();
    present[key] = both ? merged(*was, value, present[key]) : value;
  }
  for (const auto& [key, value] : before.items()) {
    if (!after.contains(key)) present.erase(key);
  }
  return present;
}

// The file as it is. One that is not of settings goes aside, so that it can be mended.
Json present(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return Json::object();
  try {
    Json json = parse_json(load_bytes(path, most_bytes).text(), "settings");
    if (json.is_object()) return json;
  } catch (const Error&) {  // as any that is not of settings
  }
  fs::rename(path, fs::path(path).concat(".unreadable"), error);
  return Json::object();
}

// Held while it lives; only other programs wait for it. Where there can be none, there is none: the
// last writer wins then.
class FileLock {
 public:
  explicit FileLock(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace

bool models_own(ControlId id) {
  static const ControlChoice spoken_of = [] {
    ControlChoice c;
    c.say(SamplingParams{});
    return c;
  }();
  return spoken_of[id].has_value();
}

fs::path settings_path() { return config_dir() / "window.json"; }

Settings load_settings(const fs::path& path, std::string& complaint) {
  Settings s;
  std::error_code missing;
  if (!fs::exists(path, missing)) return s;
  try {
    const Json json = parse_json(load_bytes(path, most_bytes).text(), "settings");
    const JsonFields fields(json, "settings");
    each_field(s, [&fields](const char* key, auto& value) {
      if (fields.has(key)) read(fields, key, value);
    });
    read_old_controls(s.controls, fields, s.model);
    read_controls(s.controls, fields);
    bring_into_range(s);
    return s;
  } catch (const std::exception& e) {
    complaint = fmt::format("the settings in {} cannot be read and were left aside ({})",
                            path.string(), e.what());
    return {};
  }
}

void save_settings(const fs::path& path, const Settings& settings, const Settings* before) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const FileLock lock(fs::path(path).concat(".lock"));
  Json json = as_json(settings);
  if (before != nullptr) json = merged(as_json(*before), json, present(path));
  // The user's own file: its place says that it may be replaced.
  write_text_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n',
                  Replace::any());
}

void SettingsSaver::look(const Settings& settings, double now) {
  constexpr double still_s = 1;
  constexpr double most_s = 10;
  if (settings == saved_) {
    changed_ = 0;
    return;
  }
  if (changed_ <= 0) changed_ = now;
  if (settings != seen_) {
    seen_ = settings;
    looked_ = now;
  }
  if (now - looked_ < still_s && now - changed_ < most_s) return;
  save(settings);
}

void SettingsSaver::save(const Settings& settings) {
  if (settings == saved_) return;
  const Settings before = std::exchange(saved_, settings);
  changed_ = 0;
  save_settings(path_, settings, &before);
}

void remember(std::vector<std::string>& recent, const std::string& path) {
  recent.erase(std::remove(recent.begin(), recent.end(), path), recent.end());
  recent.insert(recent.begin(), path);
  if (recent.size() > most_recent) recent.resize(most_recent);
}

}  // namespace mambo::gui
