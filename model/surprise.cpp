#include "model/surprise.h"

#include <algorithm>
#include <cmath>

namespace mambo {

void SurpriseSink::logits(std::uint64_t first, int rows, const float* logits) {
  for (int r = 0; r < rows; ++r, logits += vocab_) {
    const std::uint64_t next = first + static_cast<std::uint64_t>(r) + 1;
    if (next >= codes_.size()) break;
    if (next < first_) continue;
    float most = logits[0];
    for (std::size_t v = 1; v < vocab_; ++v) most = std::max(most, logits[v]);
    float sum = 0;
    for (std::size_t v = 0; v < vocab_; ++v) sum += std::exp(logits[v] - most);
    nats_ += std::log(static_cast<double>(sum)) + most - logits[codes_[next]];
  }
}

double SurpriseSink::bits_per_sample() const {
  return nats_ / std::log(2.0) / static_cast<double>(codes_.size() - first_);
}

}  // namespace mambo
