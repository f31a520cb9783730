// Offline conversion of sampling rates (soxr, very high quality), a block at a time. Mono.
#pragma once

#include <memory>
#include <span>
#include <vector>

namespace mambo {

class RateConverter {
 public:
  // Rates in Hz. Throws Error when the pair is beyond what the converter does.
  RateConverter(double from, double to);
  ~RateConverter();
  RateConverter(const RateConverter&) = delete;
  RateConverter& operator=(const RateConverter&) = delete;

  // Converts `in`; what is ready is appended to `out` (later blocks bring the rest).
  void process(std::span<const float> in, std::vector<float>& out);
  // Nothing more comes in: appends what is left.
  void flush(std::vector<float>& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo
