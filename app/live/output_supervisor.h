// Keeps sound coming out: opens a device, tells the generator how full the ring must be, goes over
// to another device, or to the silent clock, when one is lost, and comes back when there is one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/live/generator_thread.h"
#include "app/live/output.h"
#include "app/live/session_options.h"
#include "app/live/status_board.h"

namespace mambo {

class OutputSupervisor {
 public:
  OutputSupervisor(GeneratorThread& generator, StatusBoard& board, const SessionOptions& options);

  // ---- Any thread; a lock held for nanoseconds ----
  void set_playing(bool on);
  bool playing() const { return playing_; }
  void set_level_db(float db);  // at the bottom of the scale silent
  float level_db() const { return level_db_; }
  // Whether what is drawn is slowly brought to the clip's loudness, LUFS; without one it stays.
  void set_match_level(bool on);
  void set_clip_loudness(std::optional<double> lufs);
  // Plays samples at the model's rate in place of what is drawn, which waits; empty: stops that.
  // False: there is no output yet.
  bool audition(std::vector<float> samples);
  void set_latency(double seconds);  // ring and device; from the next open() on
  // Fills in what the status says of the ring, the device and what was heard of `generated`. rate:
  // the model's, Hz; 0: no model yet.
  void fill(SessionStatus& status, double rate) const;

  // ---- Worker thread ----
  void set_device(const std::string& name) { device_ = name; }  // from the next open() on
  // The generator thread is parked. Never fails; what is not as asked becomes a message.
  void open(double rate);
  void reopen();  // parks meanwhile
  bool is_open() const { return output_.facts().open; }
  void flush() { output_.flush(); }  // see Output
  // Fades an audition out. At most a twentieth of a second.
  void end_audition();
  void close();
  // To be called a few times per second: looks whether the device was lost, needs more of the ring
  // than at first, or, under the silent clock, whether one has come.
  void watch();

 private:
  // A value that jumps with every block and chunk, over the last second. Begins anew after a pause.
  class Mean {
   public:
    double follow(double value);

   private:
    double value_ = 0;
    std::chrono::steady_clock::time_point when_;
  };
  void forget_stage();
  void match_level();  // under the stage's lock
  double device_path_s() const;

  GeneratorThread& generator_;
  StatusBoard& board_;
  const std::size_t chunk_;
  std::atomic<double> latency_s_;
  std::atomic<bool> playing_{false};
  std::atomic<float> level_db_{0.0F};

  // The worker's.
  Output output_;
  std::string device_;
  double rate_ = 0;
  std::chrono::steady_clock::time_point tried_ = std::chrono::steady_clock::now();
  std::chrono::seconds try_after_{5};  // since tried_
  std::string signs_;                  // of the sound system, when it was looked at last

  // The stage that other threads may reach; null before it is destroyed.
  mutable std::mutex stage_mutex_;
  OutputStage* stage_ = nullptr;
  bool match_level_ = false;            // likewise under the lock
  std::optional<double> clip_lufs_;     // likewise
  std::uint64_t underruns_before_ = 0;  // of stages that are gone
  mutable Mean mean_path_s_, mean_device_path_s_;
};

}  // namespace mambo
