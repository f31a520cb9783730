// Options that several commands share, and how they turn into a model and an engine.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/control/choice.h"
#include "app/files/audio_file.h"
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

void add_model_options(CLI::App& app, ModelOptions& o);
void add_load_options(CLI::App& app, ModelOptions& o);  // of these, all but the model itself
void add_compute_options(CLI::App& app, ComputeOptions& o);
// An option for each control of these scopes that has a value, from the table. What is not given
// stays unsaid in `o`; the help says what holds then: for what a model may speak of (temperature,
// top k, top p) otherwise.model, for the rest otherwise.rest, and where that is empty, the table's.
struct Otherwise {
  std::string model, rest;
};
void add_control_options(CLI::App& app, ControlChoice& o, const std::vector<Scope>& scopes,
                         const Otherwise& otherwise);
// --set, for any control of these scopes, by its key. What is said twice holds as it was said last,
// and before an option of its own.
void add_set_option(CLI::App& app, ControlChoice& o, const std::vector<Scope>& scopes);
std::string option_name(const ControlSpec& spec);  // "--top-k"

LoadOptions load_options(const ModelOptions& o);
// These three take what time a file takes: they show how far they are, unless quiet, and throw
// Cancelled soon after an interrupt was noted (app/cli/interrupt.h).
std::shared_ptr<const Model> open_model(const ModelOptions& o, bool quiet = true);
// Codes of the clip's stretch, at the model's rate and in its encoding. Throws Error when nothing
// lies there.
std::vector<std::uint8_t> load_codes(const std::filesystem::path& path, const Model& model,
                                     const Stretch& stretch, bool quiet);
std::string hash_of(const std::filesystem::path& file);  // SHA-256, hex
EngineOptions engine_options(const ComputeOptions& o);
// Says in one line on stderr when a better device refused (--backend auto).
std::unique_ptr<Engine> open_engine(const Model& model, const ComputeOptions& o);
std::unique_ptr<Engine> open_engine(const NetworkView& net, const ComputeOptions& o);
void tell_notice(const std::string& notice);  // that line; nothing when empty

// A number from lo to hi; anything else, NaN included, is bad usage. unit: "s", "Hz" or "".
CLI::Validator between(double lo, double hi, const std::string& unit = "");
// One of these words.
CLI::Validator one_of(const std::vector<std::string>& names);
// A file or folder may have any name but an empty one: "" is a shell's unset variable, and would
// mean the default.
CLI::Validator a_name();

// Text in lines of at most `width` characters.
std::string wrapped(const std::string& text, std::size_t width);

// The shipped clip that suits a model; throws Error when there is none.
std::filesystem::path shipped_seed_clip(const std::filesystem::path& model);
// Throws Error when there is no file or folder at `path`; `option` says where it is instead.
void must_be_there(const std::filesystem::path& path, const std::string& option);

}  // namespace mambo
