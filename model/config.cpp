#include "model/config.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>

#include "kernels/error.h"
#include "kernels/sampling_limits.h"
#include "model/json_text.h"
#include "model/message.h"

namespace mambo {
namespace {

constexpr std::string_view format_name = "mambo-1";
constexpr std::array encodings = {Encoding::mulaw8, Encoding::linear8};

// Ceilings: far above every model that could play in real time, and low enough that no product of
// them (weights of a tensor, floats of a state) leaves 63 bits.
constexpr std::int64_t max_d_model = 16384;
constexpr std::int64_t max_width = 65536;
constexpr std::int64_t max_pool = 4096;
constexpr std::int64_t max_stride = 1 << 24;  // 17 minutes of audio per step at 16 kHz
constexpr std::size_t max_tiers = 8;
constexpr std::int64_t max_layers = 512;  // of one half-stage
constexpr std::int64_t max_widen = 16;
constexpr std::int64_t max_expand = 16;
constexpr std::int64_t max_d_state = 256;
constexpr std::int64_t max_d_conv = 64;
constexpr std::size_t max_name = 200;  // bytes

// An object whose keys are read one by one; keys left unread are unknown.
class Keys {
 public:
  Keys(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) {
      throw Error(where_ + ": expected a JSON object, found " + shown(object));
    }
  }
  const Json* find(const char* key) {
    asked_.insert(key);
    const auto it = object_.find(key);
    return it == object_.end() ? nullptr : &*it;
  }
  const Json& need(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) throw Error(where_ + ": expected the key " + key + ", found none");
    return *value;
  }
  int integer(const char* key, std::int64_t min, std::int64_t max) {
    return static_cast<int>(json_int(need(key), where_, key, min, max));
  }
  void refuse_unknown() const {
    for (const auto& [key, value] : object_.items()) {
      if (asked_.count(key) == 0) {
        throw Error(where_ + ": unknown key " + printable(key) + ": expected only those of " +
                    std::string(format_name));
      }
    }
  }
  const std::string& where() const { return where_; }

 private:
  const Json& object_;
  std::string where_;
  std::set<std::string, std::less<>> asked_;
};

std::vector<int> integers(Keys& keys, const char* key, std::int64_t min, std::int64_t max,
                          std::size_t most) {
  const Json& array = keys.need(key);
  if (!array.is_array() || array.size() > most) {
    throw Error(keys.where() + ": " + key + ": expected an array of at most " +
                std::to_string(most) + " integers, found " + shown(array));
  }
  std::vector<int> out;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::string entry = std::string(key) + "[" + std::to_string(i) + "]";
    out.push_back(static_cast<int>(json_int(array[i], keys.where(), entry, min, max)));
  }
  return out;
}

std::vector<Mixer> read_mixers(Keys& keys, std::size_t tiers) {
  const Json* mixer = keys.find("mixer");
  if (mixer == nullptr) return {};
  if (!mixer->is_array() || mixer->size() != tiers) {
    throw Error(keys.where() + ": mixer: expected an array of " + std::to_string(tiers) +
                " names, one a tier, found " + shown(*mixer));
  }
  std::vector<Mixer> out;
  for (std::size_t s = 0; s < tiers; ++s) {
    const std::string name = json_string((*mixer)[s], keys.where(), "mixer");
    std::string known;
    const auto row = std::find_if(all_mixers.begin(), all_mixers.end(), [&](const MixerInfo& m) {
      known += (known.empty() ? "" : " or ") + std::string(m.name);
      return name == m.name;
    });
    if (row == all_mixers.end()) {
      throw Error(keys.where() + ": tier " + std::to_string(s) + ": unknown mixer: expected " +
                  known + ", found " + printable(name));
    }
    out.push_back(row->id);
  }
  return out;
}

// "about" is free-form, but for three things: "defaults" in it are the sampling settings that its
// maker found to sound best, "ranges" those between which they are useful. Other keys there are
// ignored.
const Json* find_in_about(const Json& about, const char* key, const std::string& where) {
  if (!about.is_object()) return nullptr;
  const auto it = about.find(key);
  if (it == about.end()) return nullptr;
  if (!it->is_object()) {
    throw Error(where + ": expected an object, found " + shown(*it));
  }
  return &*it;
}

SamplingParams read_defaults(const Json& about, const std::string& where) {
  using L = SamplingLimits;
  SamplingParams p;
  const std::string at = where + ": about.defaults";
  const Json* defaults = find_in_about(about, "defaults", at);
  if (defaults == nullptr) return p;
  const auto real = [&](const char* key, double min, double max, float& value) {
    const auto it = defaults->find(key);
    if (it != defaults->end()) value = static_cast<float>(json_real(*it, at, key, min, max));
  };
  real("temperature", L::min_temperature, L::max_temperature, p.temperature);
  if (const auto it = defaults->find("top_k"); it != defaults->end()) {
    p.top_k = static_cast<int>(json_int(*it, at, "top_k", L::min_top_k, L::max_top_k));
  }
  real("top_p", L::min_top_p, L::max_top_p, p.top_p);
  real("min_p", L::min_min_p, L::max_min_p, p.min_p);
  real("floor", L::min_floor, L::max_floor, p.floor);
  real("gate", L::min_gate, L::max_gate, p.gate);
  return p;
}

// "guard": how long its sound may be what is taken for trouble elsewhere.
GuardFacts read_guard(const Json& about, const std::string& where) {
  GuardFacts g;
  const std::string at = where + ": about.guard";
  const Json* guard = find_in_about(about, "guard", at);
  if (guard == nullptr) return g;
  const auto read = [&](const char* key, double& value) {
    const auto it = guard->find(key);
    if (it == guard->end()) return;
    value = json_real(*it, at, key, GuardFacts::least_s, GuardFacts::most_s);
  };
  read("silence_s", g.silence_s);
  read("noise_s", g.noise_s);
  read("drone_s", g.drone_s);
  return g;
}

std::optional<UsefulRange> read_temperature_range(const Json& about, const std::string& where) {
  using L = SamplingLimits;
  const std::string at = where + ": about.ranges";
  const Json* ranges = find_in_about(about, "ranges", at);
  if (ranges == nullptr) return std::nullopt;
  const auto it = ranges->find("temperature");
  if (it == ranges->end()) return std::nullopt;
  if (!it->is_array() || it->size() != 2) {
    throw Error(at + ": temperature: expected its ends, two numbers, found " + shown(*it));
  }
  UsefulRange r;
  r.from = json_real((*it)[0], at, "temperature[0]", L::min_temperature, L::max_temperature);
  r.to = json_real((*it)[1], at, "temperature[1]", L::min_temperature, L::max_temperature);
  if (!(r.from < r.to)) {
    throw Error(at + ": temperature: expected the lower end first, found " + shown(*it));
  }
  return r;
}

// Widths and strides grow as powers: each factor may be sane and the product not.
void check_growth(const Config& c, const std::string& where) {
  std::int64_t width = c.d_model;
  std::int64_t stride = 1;
  for (std::size_t s = 0; s < c.pool.size(); ++s) {
    width *= c.widen;
    stride *= c.pool[s];
    const std::string at = where + ": tier " + std::to_string(s + 1);
    if (width > max_width) {
      throw Error(at + ": expected a width (d_model x widen^tier) of at most " +
                  std::to_string(max_width) + ", found " + std::to_string(width));
    }
    if (stride > max_stride) {
      throw Error(at + ": expected a stride (product of pool) of at most " +
                  std::to_string(max_stride) + " samples, found " + std::to_string(stride));
    }
  }
}

}  // namespace

const char* encoding_name(Encoding e) {
  switch (e) {
    case Encoding::mulaw8:
      return "mulaw8";
    case Encoding::linear8:
      return "linear8";
  }
  return "unknown";
}

Encoding parse_encoding(std::string_view name) {
  for (const Encoding e : encodings) {
    if (name == encoding_name(e)) return e;
  }
  throw Error("unknown encoding: expected mulaw8 or linear8, found " + printable(name));
}

int Config::width(int tier) const {
  int w = d_model;
  for (int s = 0; s < tier; ++s) w *= widen;
  return w;
}

int Config::d_inner(int tier) const { return expand * width(tier); }

int Config::stride(int tier) const {
  int n = 1;
  for (int s = 0; s < tier; ++s) n *= pool[static_cast<std::size_t>(s)];
  return n;
}

Mixer Config::mixer(int tier) const {
  return mixers.empty() ? Mixer::s6 : mixers[static_cast<std::size_t>(tier)];
}

Config parse_config(std::string_view json, const std::string& where) {
  const Json object = parse_json(json, where);
  Keys keys(object, where);
  const std::string format = json_string(keys.need("format"), where, "format");
  if (format != format_name) {
    throw Error(where + ": unknown format: expected " + std::string(format_name) + ", found " +
                printable(format));
  }
  Config c;
  c.name = json_string(keys.need("name"), where, "name");
  if (c.name.size() > max_name) {
    throw Error(where + ": name: expected at most " + std::to_string(max_name) + " bytes, found " +
                std::to_string(c.name.size()));
  }
  c.name = printable(c.name, max_name);
  c.sample_rate = keys.integer("sample_rate", kLowestRate, kHighestRate);
  const std::string encoding = json_string(keys.need("encoding"), where, "encoding");
  try {
    c.encoding = parse_encoding(encoding);
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  }
  c.vocab_size = keys.integer("vocab_size", 256, 256);  // both encodings have 8 bits
  c.d_model = keys.integer("d_model", 1, max_d_model);
  c.pool = integers(keys, "pool", 2, max_pool, max_tiers - 1);
  c.layers = integers(keys, "layers", 0, max_layers, max_tiers);
  if (c.layers.size() != c.pool.size() + 1) {
    throw Error(where + ": layers: expected " + std::to_string(c.pool.size() + 1) +
                " entries, one more than pool has, found " + std::to_string(c.layers.size()));
  }
  if (c.layers.back() == 0) {
    throw Error(where + ": layers: expected at least one block in the innermost tier, found 0");
  }
  c.widen = keys.integer("widen", 1, max_widen);
  c.expand = keys.integer("expand", 1, max_expand);
  c.d_state = keys.integer("d_state", 1, max_d_state);
  c.d_conv = keys.integer("d_conv", 1, max_d_conv);
  c.norm_eps = json_real(keys.need("norm_eps"), where, "norm_eps", 1e-12, 1.0);
  if (const Json* about = keys.find("about")) {
    c.about = about->dump();
    c.sampling = read_defaults(*about, where);
    c.guard = read_guard(*about, where);
    c.temperature_range = read_temperature_range(*about, where);
  }
  c.mixers = read_mixers(keys, c.layers.size());
  keys.refuse_unknown();
  check_growth(c, where);
  return c;
}

std::string config_json(const Config& config) {
  Json j;
  j["format"] = format_name;
  j["name"] = config.name;
  j["sample_rate"] = config.sample_rate;
  j["encoding"] = encoding_name(config.encoding);
  j["vocab_size"] = config.vocab_size;
  j["d_model"] = config.d_model;
  j["pool"] = config.pool;
  j["layers"] = config.layers;
  j["widen"] = config.widen;
  j["expand"] = config.expand;
  j["d_state"] = config.d_state;
  j["d_conv"] = config.d_conv;
  j["norm_eps"] = config.norm_eps;
  for (const Mixer m : config.mixers) j["mixer"].push_back(mixer_name(m));
  if (!config.about.empty()) j["about"] = parse_json(config.about, "about");
  return j.dump();
}

}  // namespace mambo
