// Which of many takes are kept: a measure of each, and its place among the others.
//
//   score = bits per sample + |level - level of the clip| beyond 6 dB, in steps of 6 dB
//
// Bits per sample is the mean of -log2 p(code) of the codes drawn, under the model itself
// (temperature 1, no restriction): the likelier a take, the fewer. Likelihood alone would prefer
// silence, of which models are sure: hence the level, root mean square of the whole take. From
// silence there is no clip, and a usual level stands for its. The lowest score is the best.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mambo {

struct Verdict {
  int kept = 0, of = 0;              // the best `kept` of `of` takes ...
  std::uint64_t first_rng_seed = 0;  // ... which are those from this random seed on
  int rank = 0;                      // 1: the best
  double bits_per_sample = 0, level_dbfs = 0, score = 0;
};

inline constexpr double usual_level_dbfs = -24;
inline constexpr double lowest_level_dbfs = -120;

// Sums over a take as it is drawn.
struct Measure {
  double log_prob = 0;  // natural logarithm
  double squares = 0;
  std::uint64_t samples = 0;

  double bits_per_sample() const;
  double level_dbfs() const;
  double score(double clip_level_dbfs) const;
};

}  // namespace mambo
