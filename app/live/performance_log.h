// Gathers what the generator thread logs into the performance of a recording. Worker thread.
//
// Held is what a recording that starts now would need: everything since the end of the clip or the
// last Again. Memory is bounded by kMostEvents; a take of more has no performance.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/control/performance.h"
#include "app/live/live_controls.h"
#include "model/model.h"

namespace mambo {

class PerformanceLog {
 public:
  explicit PerformanceLog(LiveControls& controls) : controls_(controls) {}

  // After each GeneratorThread::exchange and replace, in their order: what plays from there on.
  void program_changed(std::shared_ptr<const Model> model, std::filesystem::path clip,
                       PlayedEngine engine);
  void engine_changed(PlayedEngine engine);
  // Empties the log's ring: to be called a few times per second.
  void collect();

  void begin_recording();
  void end_recording();
  // Of the recording under way, but for the file. Hashes model and clip: reads them whole. Throws
  // Error, one sentence, when the take cannot be repeated.
  Performance performance();

 private:
  struct Played {
    std::shared_ptr<const Model> model;
    std::filesystem::path clip;
    PlayedEngine engine;
  };
  void add(const ControlEvent& event);
  void begin_anew(const ControlEvent& event);

  LiveControls& controls_;
  std::map<std::uint64_t, Played> programs_;  // by number, as the log counts them
  std::map<std::uint64_t, PlayedEngine> engines_;
  std::uint64_t next_program_ = 0, next_engine_ = 0;
  std::vector<ControlEvent> events_;
  bool recording_ = false;
  bool too_long_ = false, gap_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace mambo
