// Everything that reproduces a rendered file: kept in a .json beside the file and, without paths
// and other machine-specific facts, in the file's metadata.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/control/choice.h"
#include "app/files/audio_file.h"
#include "app/offline/finish.h"
#include "app/offline/verdict.h"
#include "dsp/trouble.h"
#include "kernels/sampling.h"
#include "model/config.h"

namespace mambo {

// What of a take a file holds.
enum class Part : std::uint8_t { continuation, joined, seed };
const char* part_name(Part p);

// Seconds that one rendering may draw, and that a stretch of a clip may begin or end at.
inline constexpr double kMostSeconds = 86400;

// The guard's work: at this sample, for this reason, back to the state after sample `to`.
struct BroughtBack {
  std::uint64_t at = 0, to = 0;
  Trouble from = Trouble::none;
  int voice = 0;  // 1: the right one
};

struct Recipe {
  std::string version;  // of the program

  std::filesystem::path model_path;
  std::string model_name, model_sha256;
  int sample_rate = 0;  // the model's, Hz
  Encoding encoding = Encoding::mulaw8;

  std::filesystem::path clip_path;  // empty: from silence
  std::string clip_sha256;
  bool from_moment = false;               // clip_path and clip_sha256 are of a moment's file
  double clip_from_s = 0, clip_to_s = 0;  // the stretch of the clip used; to == 0: its end

  SamplingParams sampling;
  bool guard = false;                // brings back what goes astray (app/control/guard.h)
  std::vector<LayerSetting> layers;  // in_short(); empty: as the model is
  std::uint64_t rng_seed = 0;
  std::uint64_t samples = 0;  // drawn, at the model's rate
  std::string backend;        // "cpu", "cuda"
  std::string weights;        // "half", "f32"
  std::string engine;         // Engine::description(), to be read by people

  Part part = Part::continuation;
  FileFormat format = FileFormat::wav;
  int file_rate = 0;  // Hz
  Finish finish;      // of a recipe without these keys: Finish{}

  // Of the finished file; not part of the metadata.
  std::string file;  // its name
  std::string file_sha256;
  std::uint64_t file_samples = 0;       // at file_rate
  bool interrupted = false;             // file_samples are fewer than were asked for
  double gain_db = 0;                   // that finish.lufs came to
  std::optional<double> loudness_lufs;  // of the file, where it was measured and is any
  // LUFS of the clip's last ten seconds, and of the whole continuation as it was drawn.
  std::optional<double> clip_lufs, continuation_lufs;
  std::vector<BroughtBack> brought_back;  // what the guard did, in order
  std::optional<Verdict> verdict;         // of a take that was kept of many
};

// Whether both make the same sound: compares all that decides the samples and their file.
bool same_sound(const Recipe& a, const Recipe& b);

std::string recipe_metadata(const Recipe& r);  // one line of JSON
std::string recipe_json(const Recipe& r);      // the file beside
// A recipe may come from a stranger: every value is held to the range and kind of the option that
// says the same, and `file` is a plain name. Throws Error, one sentence that begins with `where`.
Recipe parse_recipe(std::string_view json, const std::string& where);

std::filesystem::path recipe_path(const std::filesystem::path& audio);   // x.wav -> x.json
void write_recipe(const std::filesystem::path& audio, const Recipe& r);  // aside and renamed
Recipe read_recipe(const std::filesystem::path& json);                   // throws Error

}  // namespace mambo
