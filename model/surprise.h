// How well a network predicts codes: the sum of -ln p of each, while prefill absorbs them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "kernels/observe.h"

namespace mambo {

class SurpriseSink : public PrefillSink {
 public:
  // codes: what one call of prefill absorbs, from the zero state. first: index of the first code
  // that is scored, at least 1: nothing precedes code 0. progress(samples absorbed): false cancels.
  SurpriseSink(std::span<const std::uint8_t> codes, std::uint64_t first, int vocab,
               std::function<bool(std::uint64_t)> progress)
      : codes_(codes),
        first_(first),
        vocab_(static_cast<std::size_t>(vocab)),
        progress_(std::move(progress)) {}

  bool progress(std::uint64_t samples) override { return !progress_ || progress_(samples); }
  bool wants_logits() const override { return true; }
  void logits(std::uint64_t first, int rows, const float* logits) override;

  double nats() const { return nats_; }  // over all that were scored
  double bits_per_sample() const;        // their mean, in bits

 private:
  std::span<const std::uint8_t> codes_;
  std::uint64_t first_;
  std::size_t vocab_;
  std::function<bool(std::uint64_t)> progress_;
  double nats_ = 0;
};

}  // namespace mambo
