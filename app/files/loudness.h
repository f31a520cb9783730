// How loud a sound is, as broadcasters measure it (EBU R 128, ITU-R BS.1770; libebur128).
#pragma once

#include <memory>
#include <span>

namespace mambo {

struct Loudness {
  double lufs;       // integrated; -infinity: silence, or less than 0.4 s
  double true_peak;  // of the waveform between the samples too, linear
};

// One thread. Memory is bounded: loudness is kept as a histogram in steps of 0.1 LU.
class LoudnessMeter {
 public:
  LoudnessMeter(int rate, int channels);  // throws Error when the pair cannot be measured
  ~LoudnessMeter();
  LoudnessMeter(const LoudnessMeter&) = delete;
  LoudnessMeter& operator=(const LoudnessMeter&) = delete;
  void add(std::span<const float> samples);  // whole frames, channels interleaved
  Loudness so_far() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo
