// A recording from its start to its last word. Worker thread, except where said.
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>

#include "app/live/generator_thread.h"
#include "app/live/recorder.h"
#include "app/live/status_board.h"
#include "model/model.h"

namespace mambo {

class Recording {
 public:
  Recording(GeneratorThread& generator, StatusBoard& board)
      : generator_(generator), board_(board), recorder_(generator.record_ring()) {}

  // Ends a recording that runs, then starts another of what `model` plays; wav, flac or ogg by
  // extension. Throws Error when the file cannot be made.
  void begin(const std::filesystem::path& path, const Model& model);
  // Throws the Error that kept the file from being complete.
  void end();
  void end_safely();  // what end() would throw becomes a message
  bool running() const { return recorder_.running(); }
  void watch() {  // ends what cannot go on: the disk is full, say
    if (recorder_.failed()) end_safely();
  }

  // Any thread: fills in what the status says of recordings.
  void fill(SessionStatus& status) const;

 private:
  GeneratorThread& generator_;
  StatusBoard& board_;
  Recorder recorder_;
  std::atomic<int> rate_{0};  // Hz, of the model recorded last
  mutable std::mutex mutex_;
  std::filesystem::path path_;
};

}  // namespace mambo
