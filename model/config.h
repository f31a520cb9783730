// The configuration of a network, as the native file's `mambo.config` or an ecosystem folder's
// config.json states it. Checked once, here: what a Config holds is sane.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/network.h"
#include "kernels/sampling.h"
#include "kernels/sampling_limits.h"

namespace mambo {

enum class Encoding : std::uint8_t { mulaw8, linear8 };
const char* encoding_name(Encoding e);
Encoding parse_encoding(std::string_view name);  // throws Error naming the ones there are

// Hz: of a model, wherever it is said.
inline constexpr int kLowestRate = 1000;
inline constexpr int kHighestRate = 384000;

// about.guard: how long, s, sound like the model's data may be silent, noise or a standing tone; 0:
// not said. For what watches over the sound; the network does not know of it.
struct GuardFacts {
  static constexpr double least_s = 0.5, most_s = 3600;
  double silence_s = 0, noise_s = 0, drone_s = 0;
};

struct Config {
  std::string name;
  int sample_rate = 16000;
  Encoding encoding = Encoding::mulaw8;
  int vocab_size = 256;
  int d_model = 64;
  std::vector<int> pool;    // steps of tier s that make one of tier s+1; empty: flat
  std::vector<int> layers;  // pool.size() + 1 entries; an outer tier has as many down as up
  int widen = 2;
  int expand = 2;
  int d_state = 16;
  int d_conv = 4;
  double norm_eps = 1e-5;
  std::vector<Mixer> mixers;  // one per tier; empty: all s6
  std::string about;          // free-form provenance: the JSON text of "about", or empty
  GuardFacts guard;           // about.guard
  SamplingParams sampling;    // about.defaults: what sounds best; absent: as the network says
  std::optional<UsefulRange> temperature_range;  // about.ranges.temperature

  int tiers() const { return static_cast<int>(layers.size()); }
  int width(int tier) const;    // d_model * widen^tier
  int d_inner(int tier) const;  // expand * width
  int stride(int tier) const;   // samples per step: product of pool[0..tier)
  Mixer mixer(int tier) const;
};

// Throws Error: one sentence that begins with `where` and names the key, what was expected and what
// was found. Unknown keys, formats, encodings and mixers are refused by name.
Config parse_config(std::string_view json, const std::string& where);
std::string config_json(const Config& config);  // what parse_config reads

}  // namespace mambo
