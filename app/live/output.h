// Where sound goes: the chain that the callback runs, on a device or on the silent clock, and what
// to do when a device goes away. Worker thread only, but for what says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "app/audio/audio_device.h"
#include "dsp/output_stage.h"
#include "dsp/ring_buffer.h"

namespace mambo {

// What the meter shows of it. A copy.
struct OutputFacts {
  std::string device;
  double rate = 0;
  double latency_s = 0;
  bool silent = false;
  bool open = false;
};

class Output {
 public:
  explicit Output(RingBuffer<float>& ring);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Closes what was open and opens `device` (empty: the default) for sound at `rate`. Never fails:
  // what cannot be opened is replaced by the default device, and that by the silent clock; the
  // returned sentence says so, empty when all is as asked.
  std::string open(double rate, const std::string& device, double device_latency_s);
  void close();
  bool lost() const { return output_ != nullptr && !output_->alive(); }
  OutputStage* stage() { return stage_.get(); }

  // Discards what is in the ring, fading out first if sound is running. At most a fifth of a
  // second.
  void flush();

  // How full the ring must be kept at least: what the stage holds back to fade out with, two of the
  // device's blocks, and a chunk on its way. Waits up to a tenth of a second for the first block.
  std::size_t least_target(std::size_t chunk) const;

  // Any thread.
  OutputFacts facts() const;

 private:
  class Source;
  void attach(std::unique_ptr<AudioOutput> output);
  RingBuffer<float>& ring_;
  double rate_ = 16000;
  std::unique_ptr<OutputStage> stage_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<AudioOutput> output_;
  mutable std::mutex mutex_;
  OutputFacts facts_;
};

}  // namespace mambo
