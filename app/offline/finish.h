// What is done to a take between the draw and its file: two voices or one, fades, loudness, bits.
// Finish{} leaves the samples as they were drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "app/files/audio_file.h"

namespace mambo {

struct Finish {
  SampleBits bits = SampleBits::pcm16;
  double fade_in_ms = 0, fade_out_ms = 0;
  std::optional<double> lufs;        // the loudness asked for; empty: as drawn
  bool match_level = false;          // the continuation slowly brought to the clip's loudness
  bool stereo = false;               // two voices, left and right
  std::uint64_t rng_seed_right = 0;  // of the right one; the left one's is the recipe's

  int channels() const { return stereo ? 2 : 1; }
  bool operator==(const Finish&) const = default;
};

struct FinishLimits {
  static constexpr double max_fade_ms = 60000;
  static constexpr double min_lufs = -60, max_lufs = 0;
};

// At a cut for which no fade was chosen: long enough that no click is heard, too short to be heard.
inline constexpr double cut_fade_ms = 5;
// The loudest waveform that normalizing leaves: no limiter works, the file stays quieter instead.
inline constexpr double true_peak_dbtp = -1;

// The fades of a file whose length is not known before its end: the last `out` frames are held back
// until finish(). The same samples however they are cut into pieces. The first sample and the last
// become 0; a file shorter than a fade has the whole of it. Memory: `out` frames.
class Fades {
 public:
  using Sink = std::function<void(std::span<const float>)>;
  Fades(int channels, std::uint64_t in, std::uint64_t out, Sink sink);
  void put(std::span<const float> samples);  // whole frames, interleaved
  void finish();

 private:
  std::size_t channels_;
  std::uint64_t in_, out_;
  std::uint64_t frames_ = 0;  // put so far
  std::vector<float> held_;
  Sink sink_;
};

// The gain that brings a sound of this loudness to `lufs`, or as near as its true peak lets it;
// 1 for silence and what is too short to be measured.
double normalizing_gain(double lufs, double loudness, double true_peak);

}  // namespace mambo
