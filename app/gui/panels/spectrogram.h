// The sound's spectrum over time, up to half the model's rate.
#pragma once

#include "app/gui/context.h"
#include "app/gui/history/spectrogram.h"
#include "app/gui/plot/heatmap.h"

namespace mambo::gui {

class SpectrogramPanel {
 public:
  void draw(Context& c, float top, float bottom);

 private:
  void fill(const Context& c, std::int64_t column, std::uint32_t* texels) const;
  void place_rows(int rows);
  double hertz_at(double share) const;  // share of the height, 0 at the bottom
  double share_at(double hertz) const;

  Spectrogram spectrogram_;
  Heatmap picture_;
  bool log_frequency_ = true;
  double lowest_hz_ = 50;
  struct Row {
    double low, top;  // in bins
  };
  std::vector<Row> rows_;
};

}  // namespace mambo::gui
