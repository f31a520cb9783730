// Which takes and files a rendering makes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/control/track.h"
#include "app/offline/recipe.h"
#include "model/moment.h"

namespace mambo {

struct OutputChoice {
  // A file (.wav, .flac, .ogg) or a folder, with fields (output_name.h); empty: out/
  // (or a stream, -, a pipe, of one take)
  std::filesystem::path path;
  std::optional<FileFormat> format;  // default: by the file's extension, otherwise wav
  int count = 1;                     // variations: random seeds rng_seed, rng_seed + 1, ...
  int keep = 0;                      // only so many of them, the best; 0: all
  int job = 1;                       // the line of a job list, for {job}
  bool numbered = false;             // -000 even for one
  bool with_seed = false;            // the clip before the continuation, in one file
  bool stems = false;                // clip, continuation and joined, one file each
  // Empty: cut_fade_ms where the sound is cut. A stem begins where the other one ends, and a joined
  // file with the clip's own beginning: there is no cut.
  std::optional<double> fade_in_ms, fade_out_ms;
};

// Some of the takes of a plan, of which the best are kept.
struct Contest {
  int keep = 0, of = 0;
  std::uint64_t first_rng_seed = 0;
};

// One voice, or two for left and right: what they draw and the files that hold it.
struct Take {
  Recipe recipe;
  struct File {
    std::filesystem::path path;
    Part part = Part::continuation;
    double fade_in_ms = 0, fade_out_ms = 0;
  };
  std::vector<File> files;
  bool draws = true;                       // false: only the clip is written
  std::size_t order = 0;                   // which of its caller's renderings it belongs to
  std::shared_ptr<const Contest> contest;  // empty: it is kept in any case
  // What it continues in place of a clip; the same of all takes of one rendering.
  std::shared_ptr<const Moment> moment;
  // Changes along the take, from what the recipe says on; position 0 is its first sample.
  ControlTrack track;

  Recipe recipe_of(const File& file) const;
};

// The takes of a rendering, in order. `base` has everything but part, format, fades, random seeds
// and result; model and length may follow later. Throws UsageError when path, format and count do
// not go together.
std::vector<Take> plan_takes(const Recipe& base, const OutputChoice& choice);

// Throws Error when two files, or their recipes, would have one name.
void must_differ(const std::vector<Take>& takes);

// The part of 1 ... `parts` of a plan of `takes`: takes of one contest stay together, and the parts
// are runs, so that few parts need the same clip.
std::vector<Take> share_of(std::vector<Take> takes, int part, int parts);

}  // namespace mambo
