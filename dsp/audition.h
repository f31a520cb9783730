// A sound that is heard in place of the stream for a while: a clip before the model goes on.
//
// The output stage closes, and the stream stands still, as long as this is busy; what is drawn and
// recorded does not know of it. It fades in and out by itself, also when it is stopped or replaced.
//
// Threads: play() and active() on any threads that a lock of the caller keeps apart; read() and
// busy() on the audio thread, wait-free, no allocation. prepare() while neither runs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dsp/fader.h"

namespace mambo {

class Audition {
 public:
  void prepare(std::size_t fade) { fader_.set_length(fade); }

  // From its start, at the model's rate; empty: stops what is heard. Allocates, and frees what the
  // audio thread has done with.
  void play(std::vector<float> samples);
  bool active() const;  // false once it was heard to its end, or stopped

  bool busy() const noexcept;  // there is something to be heard, or to fade out
  void read(std::span<float> to) noexcept;

 private:
  struct Sound {
    std::vector<float> samples;
    std::uint64_t number;
  };
  std::vector<std::unique_ptr<const Sound>> kept_;  // the newest last
  std::uint64_t next_ = 1;
  std::atomic<const Sound*> wanted_{nullptr};
  std::atomic<std::uint64_t> reached_{0};  // the audio thread uses none before this one
  std::atomic<std::uint64_t> ended_{0};

  // The audio thread's.
  const Sound* now_ = nullptr;
  std::size_t at_ = 0;
  Fader fader_;
};

}  // namespace mambo
