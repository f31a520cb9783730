// The short-time spectrum of the sound as it grows: a Hann window of about an eighth of a second,
// one frame per eighth of the window, in decibels below a full-scale sine. GUI thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "app/gui/history/pyramid.h"

namespace mambo::gui {

class Spectrogram {
 public:
  Spectrogram();
  ~Spectrogram();
  Spectrogram(const Spectrogram&) = delete;
  Spectrogram& operator=(const Spectrogram&) = delete;

  // rate in Hz. Allocates for the last `seconds`.
  void reset(int rate, double seconds);
  // Transforms what is new, at most `most` frames (20 us each or so); the next call continues.
  // epoch: when it changes, `samples` are others and all frames are made anew.
  void follow(const Pyramid<float>& samples, std::uint64_t epoch, int most);

  int rate() const { return rate_; }
  std::size_t bins() const { return size_ / 2 + 1; }
  double bin_hz() const { return static_cast<double>(rate_) / static_cast<double>(size_); }
  std::size_t hop() const { return hop_; }
  // Frames [begin, end); frame k is centred on sample k * hop.
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  // Level of a bin in dB (<= 0), the loudest of the frames in [from, to); NaN when none is there.
  float level(std::uint64_t from, std::uint64_t to, std::size_t bin) const;

  static constexpr float floor_db = -100;

 private:
  struct Plan;
  void transform(const Pyramid<float>& samples, std::uint64_t frame);

  int rate_ = 0;
  std::size_t size_ = 2048, hop_ = 256;
  std::size_t frames_ = 0;  // kept
  std::uint64_t begin_ = 0, end_ = 0, epoch_ = 0;
  std::vector<std::uint8_t> levels_;  // [frames][bins], 0..255 for floor_db..0
  std::unique_ptr<Plan> plan_;
};

}  // namespace mambo::gui
