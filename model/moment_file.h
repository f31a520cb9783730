// A moment as a file: safetensors with one tensor, `state`, F32 in the layout of StateLayout, and
// `picture`, F32 [2, columns]; the rest is JSON under the metadata key `mambo.moment`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "model/model.h"
#include "model/moment.h"

namespace mambo {

// What a file says of itself.
struct MomentFacts {
  std::string name;
  std::string model_name, model_sha256;
  int sample_rate = 0;  // Hz
  std::uint64_t position = 0, rng_seed = 0, drawn = 0;
  std::string version;  // of the program that wrote it
};

// Whether the file says that it is one; false also where it cannot be read.
bool is_moment_file(const std::filesystem::path& path);
// Reads the header alone. Throws Error, one sentence that begins with the path.
MomentFacts moment_facts(const std::filesystem::path& path);

// Throws Error likewise: of another model, a damaged file, a state that is not finite. to_mix: as
// slots hold it, where every group begins anew; else at any position.
Moment read_moment(const std::filesystem::path& path, const Model& model, bool to_mix = false);

// Replaces nothing but a moment. Throws Error.
void write_moment(const std::filesystem::path& path, const Moment& moment, const Model& model,
                  const std::string& version);

}  // namespace mambo
