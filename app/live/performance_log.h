// Gathers what the generator thread logs into the performance of a recording. Worker thread.
//
// Held is what a recording that starts now would need: everything since the end of the clip or the
// last Again. Memory is bounded by kMostEvents; a take of more has no performance.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/control/performance.h"
#include "app/live/live_controls.h"
#include "model/model.h"
#include "model/moment.h"

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

  // Of what is listened to, codes that are kept; a run that hears more has no performance.
  static constexpr std::size_t kMostHeard = 1U << 26U;  // 70 minutes at 16 kHz

  // What a slot holds now, as the log's events `slot` count it: a recording that begins later
  // needs it. Kept as long as an event does.
  void slot_holds(int slot, std::uint64_t number, std::shared_ptr<const Moment> moment);
  bool knows(std::uint64_t number) const { return contents_.contains(number); }

  void begin_recording();
  void end_recording();
  // Makes a file of a moment that is in none, or says in which it is.
  using SaveMoment = std::function<PlayedMoment(int slot, const Moment&, const Model&)>;
  // Of the recording under way, but for the file. What has no file yet is given one. Hashes model
  // and clip: reads them whole. Throws Error, one sentence, when the take cannot be repeated. The
  // same of a sound that was listened to, the number-th of the take.
  using SaveSound =
      std::function<PlayedSound(std::size_t number, std::span<const std::uint8_t>, const Model&)>;
  Performance performance(const SaveMoment& save = {}, const SaveSound& save_sound = {});

 private:
  struct Played {
    std::shared_ptr<const Model> model;
    std::filesystem::path clip;
    PlayedEngine engine;
  };
  void add(const ControlEvent& event);
  void begin_anew(const ControlEvent& event);
  void forget_contents();
  void forget_heard();
  std::span<const std::uint8_t> heard_in(std::size_t event) const;  // of an event `listen`
  bool is_used(std::size_t event) const;  // whether one that follows needs what it put in a slot

  LiveControls& controls_;
  std::map<std::uint64_t, Played> programs_;  // by number, as the log counts them
  std::map<std::uint64_t, PlayedEngine> engines_;
  std::map<std::uint64_t, std::shared_ptr<const Moment>> contents_;  // by number, likewise
  std::array<std::uint64_t, kSlots> held_{};                         // numbers
  std::uint64_t next_program_ = 0, next_engine_ = 0;
  std::vector<ControlEvent> events_;
  std::vector<std::uint8_t> heard_;  // codes; the first is number heard_from_ of the session
  std::uint64_t heard_from_ = 0;
  bool recording_ = false;
  bool too_long_ = false, gap_ = false, heard_too_much_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace mambo
