#include "app/offline/verdict.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mambo {

double Measure::bits_per_sample() const {
  return samples == 0 ? 0 : -log_prob / (std::numbers::ln2 * static_cast<double>(samples));
}

double Measure::level_dbfs() const {
  if (samples == 0 || squares <= 0) return lowest_level_dbfs;
  return std::max(lowest_level_dbfs, 10 * std::log10(squares / static_cast<double>(samples)));
}

double Measure::score(double clip_level_dbfs) const {
  constexpr double step_db = 6;
  const double off = std::abs(level_dbfs() - clip_level_dbfs);
  return bits_per_sample() + std::max(0.0, off - step_db) / step_db;
}

}  // namespace mambo
