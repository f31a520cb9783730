// Options that several commands share, and how they turn into a model and an engine.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/control/sampling_choice.h"
#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

struct ModelOptions {
  std::filesystem::path model;  // empty: the shipped one
  int model_rate = 0;           // 0: what the model says
  std::string encoding;         // empty: what the model says
};
struct ComputeOptions {
  std::string backend = "auto";
  std::string weights = "half";
  int threads = 0;
};

// Of the draw; what is not said is the model's own (its config's about.defaults).
struct SamplingOptions : SamplingChoice {
  std::uint64_t rng_seed = 1;
};

void add_model_options(CLI::App& app, ModelOptions& o);
void add_load_options(CLI::App& app, ModelOptions& o);  // of these, all but the model itself
void add_compute_options(CLI::App& app, ComputeOptions& o);
void add_sampling_options(CLI::App& app, SamplingOptions& o);
// Of these, all but the random seed. otherwise: what holds where nothing is said.
void add_choice_options(CLI::App& app, SamplingChoice& o, const std::string& otherwise);

LoadOptions load_options(const ModelOptions& o);
std::shared_ptr<const Model> open_model(const ModelOptions& o);
EngineOptions engine_options(const ComputeOptions& o);
// Says in one line on stderr when a better device refused (--backend auto).
std::unique_ptr<Engine> open_engine(const Model& model, const ComputeOptions& o);
std::unique_ptr<Engine> open_engine(const NetworkView& net, const ComputeOptions& o);
void tell_notice(const std::string& notice);  // that line; nothing when empty

// A number from lo to hi; anything else, NaN included, is bad usage. unit: "s", "Hz" or "".
CLI::Validator between(double lo, double hi, const std::string& unit = "");
// One of these words.
CLI::Validator one_of(const std::vector<std::string>& names);
// A file or folder may have any name but none: "" is what a shell makes of a variable not set, and
// would mean the default.
CLI::Validator a_name();

// The shipped seed clip that suits a model; throws Error when there is none.
std::filesystem::path shipped_seed_clip(const std::filesystem::path& model);

// Codes of the clip's stretch [from, to) in seconds (to == 0: its end), at the model's rate and in
// its encoding. Throws Error when nothing lies there.
std::vector<std::uint8_t> load_codes(const std::filesystem::path& path, const Model& model,
                                     double from_s = 0, double to_s = 0);

}  // namespace mambo
