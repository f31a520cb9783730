// Makes what plays next, aside, while the program before plays on: opens a model, uploads it,
// absorbs a clip. Where a GPU refuses, or was lost, the CPU takes its place. Worker thread;
// seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "app/live/program.h"
#include "app/live/session_options.h"
#include "app/live/session_status.h"
#include "model/model.h"

namespace mambo {

class ProgramLoader {
 public:
  using Path = std::filesystem::path;
  // Told what goes on and how far it is, 0..1; false cancels: what is under way throws Cancelled.
  using Report = std::function<bool(Activity, float)>;

  ProgramLoader(const SessionOptions& options, Report report)
      : options_(options), report_(std::move(report)) {}

  struct Loaded {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const Engine> engine;
    std::string notice;  // why it is not the engine hoped for; mostly empty
  };
  // Throws Error in one sentence when the file is no model or no engine takes it.
  Loaded open(const Path& path, const LoadOptions& load) const;

  struct Prepared {
    std::unique_ptr<Program> program;
    Path clip;  // empty: from silence
    double clip_seconds = 0;
    std::optional<double> clip_lufs;  // of the clip's end
    std::string notice;               // the GPU refused and why, where the CPU took its place
  };
  // tap_layer: see make_program. Throws Error when the clip cannot be read, or absorbed by any
  // engine.
  Prepared prepare(const std::shared_ptr<const Model>& model,
                   const std::shared_ptr<const Engine>& engine, const Path& clip,
                   int tap_layer) const;

  // `lost`, whose engine failed, once more on the CPU; see revive_program. Throws Error when it was
  // the CPU.
  std::unique_ptr<Program> revive(const Program& lost, std::span<const std::uint8_t> drawn,
                                  std::uint64_t drawn_in_all) const;

 private:
  std::shared_ptr<const Engine> upload(const Model& model, const std::string& backend,
                                       std::string* notice) const;
  bool prefilling(float done) const { return report_(Activity::prefilling, done); }

  const SessionOptions& options_;
  Report report_;
};

}  // namespace mambo
