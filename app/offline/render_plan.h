// Which files a rendering makes, and what to do about those that are there already.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/control/track.h"
#include "app/offline/recipe.h"

namespace mambo {

struct OutputChoice {
  std::filesystem::path path;        // a file (.wav, .flac, .ogg) or a folder; empty: out/
  std::optional<FileFormat> format;  // default: by the file's extension, otherwise wav
  int count = 1;                     // variations: random seeds rng_seed, rng_seed + 1, ...
  bool numbered = false;             // -000 even for one
  bool with_seed = false;            // the clip before the continuation, in one file
  bool stems = false;                // clip, continuation and joined, one file each
};

// One voice: what it draws and the files that hold it.
struct Take {
  Recipe recipe;
  struct File {
    std::filesystem::path path;
    Part part;
  };
  std::vector<File> files;
  bool draws = true;  // false: only the clip is written
  // Changes along the take, from what the recipe says on; position 0 is its first sample.
  ControlTrack track;
};

// The takes of a rendering, in order. `base` has everything but part, format, random seed and
// result. Throws UsageError when path, format and count do not go together.
std::vector<Take> plan_takes(const Recipe& base, const OutputChoice& choice);

enum class Existing : std::uint8_t {
  none,
  finished,  // this very sound, whole and unchanged: nothing to do
  ours,      // rendered by mambo from another recipe, or interrupted: may be replaced
  foreign,   // anything else: not to be touched
};
Existing look_at(const std::filesystem::path& audio, const Recipe& wanted);

// Takes the finished ones out of `takes` and returns their files. Throws Error naming a file that
// is there and was not made by mambo render. force: neither; everything is made again. Throws
// Error, forced or not, where no file may be written (output_place(): inputs, devices, folders).
std::vector<std::filesystem::path> skip_finished(std::vector<Take>& takes, bool force);

}  // namespace mambo
