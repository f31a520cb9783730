// Streaming conversion of a mono signal's rate, by speexdsp's windowed sinc: short delay, some tens
// of multiply-adds per sample, no allocation after construction. At equal rates it copies bit for
// bit. (Files are converted by soxr, offline; see app/files/rate_converter.h.)
#pragma once

#include <cstddef>
#include <span>

struct SpeexResamplerState_;

namespace mambo {

class Resampler {
 public:
  // Hz, whole numbers. Allocates. Throws std::invalid_argument when speexdsp refuses the rates.
  Resampler(int rate_in, int rate_out);
  ~Resampler();
  Resampler(const Resampler&) = delete;
  Resampler& operator=(const Resampler&) = delete;

  struct Moved {
    std::size_t in, out;
  };
  // Reads `in` and writes `out` until one of them is exhausted. Wait-free.
  Moved process(std::span<const float> in, std::span<float> out);

  bool bypassed() const { return state_ == nullptr; }
  double latency_s() const { return latency_s_; }
  // Input samples needed for n output samples, approximately.
  std::size_t needed(std::size_t n) const {
    return (n * static_cast<std::size_t>(rate_in_) + static_cast<std::size_t>(rate_out_) - 1) /
           static_cast<std::size_t>(rate_out_);
  }

 private:
  int rate_in_, rate_out_;
  double latency_s_ = 0;
  SpeexResamplerState_* state_ = nullptr;  // null: equal rates
};

}  // namespace mambo
