// mambo play: playing without a window.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/cli/options.h"
#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

struct PlayOptions {
  std::filesystem::path model;      // empty: the shipped one
  LoadOptions load;                 // what it does not say itself
  std::filesystem::path seed_clip;  // empty: the shipped one
  bool from_silence = false;        // no seed clip at all
  std::string device;               // empty: the default
  std::string backend = "auto";
  EngineOptions engine;
  ControlChoice controls;
  double seconds = 0;  // 0: until Ctrl-C
  bool json = false;   // one object at the end instead of the status line
};

// Plays until the time is over or Ctrl-C, which ends with a fade; then says what it measured.
// Returns the exit code; throws Error when the model or the clip cannot be loaded.
int run_play(const PlayOptions& options);

}  // namespace mambo
