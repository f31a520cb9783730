// What the settings of a draw may be, wherever they come from: a model file, the command line, the
// window, a recipe. The one place with these numbers: the table of controls
// (app/control/control.h) takes them from here, as does the reader of model files.
#pragma once

namespace mambo {

struct SamplingLimits {
  static constexpr double min_temperature = 0, max_temperature = 10;
  static constexpr int min_top_k = 0, max_top_k = 256;
  static constexpr double min_top_p = 0.001, max_top_p = 1;
  static constexpr double min_min_p = 0, max_min_p = 1;
  static constexpr double min_floor = 1e-7, max_floor = 1;
  static constexpr double min_gate = 0, max_gate = 8;  // bits: log2 of max_top_k
};

// Where in its limits a model's maker found a setting to be of use.
struct UsefulRange {
  double from = 0, to = 0;  // from < to
  bool operator==(const UsefulRange&) const = default;
};

}  // namespace mambo
