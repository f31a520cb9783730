// mambo render --performance: a live recording drawn again from the performance beside it.
#pragma once

#include <filesystem>

#include "app/cli/options.h"

namespace mambo {

struct PerformanceOptions {
  ModelOptions model;               // where the model lies now; empty: where it lay
  std::filesystem::path seed_clip;  // likewise the clip
  ComputeOptions compute;
  std::filesystem::path performance;
  std::filesystem::path output;  // a file or a folder; empty: out/
  bool force = false, quiet = false, json = false;
};

// Returns the exit code; throws Error when a file is missing, another one, or there already.
int render_performance(const PerformanceOptions& options);

}  // namespace mambo
