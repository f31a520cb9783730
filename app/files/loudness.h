// How loud a sound is, as broadcasters measure it (EBU R 128, ITU-R BS.1770; libebur128).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "model/config.h"

namespace mambo {

struct Loudness {
  double lufs;       // integrated; -infinity: silence, or less than 0.4 s
  double true_peak;  // of the waveform between the samples too, linear; 0: not measured
};

// One thread. Memory is bounded: loudness is kept as a histogram in steps of 0.1 LU.
class LoudnessMeter {
 public:
  // peak: measure it as well; it costs some ten times what loudness does. Throws Error when rate
  // and channels cannot be measured.
  LoudnessMeter(int rate, int channels, bool peak = true);
  ~LoudnessMeter();
  LoudnessMeter(const LoudnessMeter&) = delete;
  LoudnessMeter& operator=(const LoudnessMeter&) = delete;
  void add(std::span<const float> samples);  // whole frames, channels interleaved
  Loudness so_far() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// LUFS of a clip's last ten seconds, what its continuation is compared with; empty: silence, or
// less than 0.4 s. Allocates; milliseconds.
inline constexpr double clip_end_s = 10;
std::optional<double> loudness_of_end(std::span<const std::uint8_t> codes, Encoding encoding,
                                      int rate);

}  // namespace mambo
