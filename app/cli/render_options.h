// What mambo render can be told, on the command line and in a job list.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/options.h"
#include "app/offline/render_plan.h"

namespace mambo {

struct RenderOptions {
  ModelOptions model;
  ComputeOptions compute;
  std::vector<std::filesystem::path> seed_clips;  // files and folders; none: the shipped one
  std::filesystem::path recipe, performance, jobs;
  std::filesystem::path moment;  // continued in place of a clip
  bool from_silence = false;
  double from_s = 0, to_s = 0, seconds = 10;
  ControlChoice controls;
  OutputChoice output;
  std::string format, bits = "16";
  std::optional<double> lufs;
  bool stereo = false, match_level = false, guard = false;
  int rate = 0, parallel = 0;
  int shard = 1, shards = 1;
  bool force = false, quiet = false, json = false;
};

void add_sound_options(CLI::App& app, RenderOptions& o);  // clips, length, controls
void add_file_options(CLI::App& app, RenderOptions& o);   // names, formats, what is done to takes
void add_run_options(CLI::App& app, RenderOptions& o);    // of the run as a whole: not in a job

// Throws UsageError at options that exclude each other.
void must_go_together(const RenderOptions& o);

// One order per line of the job list, each from `base` and what the line says, held to the ranges
// of the same options. Throws Error with the line's number.
std::vector<RenderOptions> read_orders(const RenderOptions& base);

}  // namespace mambo
