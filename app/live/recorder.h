// Writes what the generator thread leaves in a ring to a sound file, on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "app/files/audio_file.h"
#include "dsp/ring_buffer.h"

namespace mambo {

class Recorder {
 public:
  explicit Recorder(RingBuffer<float>& ring) : ring_(ring) {}
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Worker thread. Throws Error when the file cannot be made. Format by extension: wav, flac, ogg.
  void start(const std::filesystem::path& path, int rate, const std::string& comment);
  // Writes what is still in the ring and closes; throws the Error that ended the recording, if any.
  // comment: as long as that of start(), in its place; empty: that one stays.
  void stop(const std::string& comment = {});
  bool running() const { return thread_.joinable(); }
  // Any thread.
  bool failed() const { return failed_; }  // the disk is full, say: stop() tells
  std::uint64_t samples() const { return samples_; }

 private:
  void run();
  void drain();
  RingBuffer<float>& ring_;
  std::unique_ptr<AudioWriter> writer_;
  std::thread thread_;
  std::atomic<bool> stop_{false}, failed_{false};
  std::atomic<std::uint64_t> samples_{0};
  std::string error_;
};

}  // namespace mambo
