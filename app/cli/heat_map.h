// Pictures of delta: time to the right, one row per channel, colour by the logarithm. Filled step
// by step, in memory that does not grow with their number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/output_file.h"

namespace mambo {

class HeatMap {
 public:
  // `steps` of the layer's tier in all; step_s seconds each, the first at from_s.
  HeatMap(std::string layer, int channels, std::uint64_t steps, double step_s, double from_s);

  void add(std::uint64_t first, int rows, const float* delta);  // [rows][channels]
  // PNG, written aside and renamed. Channels are sorted by their mean delta, the smallest on top.
  // Throws Error.
  void save(const std::filesystem::path& path, Replace replace) const;

 private:
  std::string layer_;
  int channels_;
  std::uint64_t steps_;
  double step_s_, from_s_;
  int columns_;
  std::vector<float> sum_;            // [columns][channels] of log10 delta
  std::vector<std::uint32_t> count_;  // [columns]
};

}  // namespace mambo
