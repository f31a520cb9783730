// A recording from its start to its last word. Worker thread, except where said.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include "app/live/generator_thread.h"
#include "app/live/performance_log.h"
#include "app/live/recorder.h"
#include "app/live/status_board.h"
#include "model/model.h"

namespace mambo {

class Recording {
 public:
  Recording(GeneratorThread& generator, StatusBoard& board)
      : generator_(generator),
        board_(board),
        recorder_(generator.record_ring()),
        log_(generator.controls()) {}

  // Ends a recording that runs, then starts another of what `model` plays; wav, flac or ogg by
  // extension. Nothing is replaced: where something lies, "-2" is added to the name, or "-3".
  // Throws Error when the file cannot be made.
  void begin(const std::filesystem::path& path, const Model& model);
  // Writes the performance beside the recording (app/control/performance.h), unless another's file
  // lies there, and says so. Throws the Error that kept the recording from being complete.
  void end();
  void end_safely();  // what end() would throw becomes a message
  bool running() const { return recorder_.running(); }
  // The performance that a recording needs is gathered all the time, by this log.
  PerformanceLog& log() { return log_; }
  // A few times per second. Ends what cannot go on: the disk is full, say. Says what is lost.
  void watch();

  // Any thread: fills in what the status says of recordings.
  void fill(SessionStatus& status) const;

 private:
  GeneratorThread& generator_;
  StatusBoard& board_;
  std::uint64_t missing() const { return generator_.lost_record_samples() - lost_before_; }
  std::string write_performance(std::uint64_t samples);

  Recorder recorder_;
  PerformanceLog log_;
  std::atomic<std::uint64_t> lost_before_{0};  // samples that earlier recordings lost
  std::uint64_t said_missing_ = 0;
  std::string model_name_;
  std::atomic<int> rate_{0};  // Hz, of the model recorded last
  mutable std::mutex mutex_;
  std::filesystem::path path_;
};

}  // namespace mambo
