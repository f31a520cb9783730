// Δ of all layers over time: one row per layer, in data-flow order. A
// click on a row chooses the layer whose channels are shown below.
#pragma once

#include <vector>

#include "app/gui/context.h"
#include "app/gui/panels/selectivity_strips.h"
#include "app/gui/plot/delta_scale.h"
#include "app/gui/plot/heatmap.h"
#include "app/gui/plot/plot.h"

namespace mambo::gui {

class DeltaLayersPanel {
 public:
  void draw(Context& c, float top, float bottom);

 private:
  void place_rows(const Context& c, const Plot& p);
  static void label_constant(const Context& c, const Plot& p, float middle);
  void draw_names(const Context& c, const Plot& p);
  void draw_strips(Context& c, const Plot& p);
  void draw_readout(Context& c, const Plot& p, int layer);
  void follow_range(const Context& c);
  static void show_layer(Context& c, int layer);
  int layer_at(float y) const;  // -1: between two rows

  struct Row {
    float top, bottom;  // below the plot's top
  };
  std::vector<Row> rows_;
  SelectivityStrips strips_;
  Heatmap picture_;
  DeltaScale scale_;
  std::vector<float> average_;                         // mean of log2 Δ of each layer
  std::uint64_t average_version_ = 0, settle_at_ = 0;  // grid cells
  std::uint64_t epoch_ = ~std::uint64_t{0};
  double range_checked_ = 0;
};

}  // namespace mambo::gui
