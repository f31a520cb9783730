// Δ of the chosen layer at full rate: one row per channel, longest memory on top or by number.
#pragma once

#include <vector>

#include "app/gui/context.h"
#include "app/gui/plot/delta_scale.h"
#include "app/gui/plot/heatmap.h"
#include "app/gui/plot/plot.h"

namespace mambo::gui {

class DeltaChannelsPanel {
 public:
  void draw(Context& c, float top, float bottom);

 private:
  void draw_header(Context& c, float top, const LayerFacts& layer);
  void draw_readout(Context& c, const Plot& p, const LayerFacts& layer);
  void sort_channels(const Context& c, const LayerFacts& layer);
  void follow_range(const Context& c, const LayerFacts& layer);
  void fill(const Context& c, const LayerFacts& layer, std::int64_t column, std::uint32_t* texels);

  Heatmap picture_;
  int rows_ = 1;
  std::vector<int> order_;  // row -> channel
  std::uint64_t order_version_ = 0;
  std::uint64_t sorted_epoch_ = ~std::uint64_t{0};
  ChannelOrder sorted_by_ = ChannelOrder::index;
  std::uint64_t sort_again_at_ = 0;  // steps known
  DeltaScale scale_;
  std::vector<float> average_;  // mean of log2 Δ of each channel
  std::uint64_t range_epoch_ = ~std::uint64_t{0};
  double range_checked_ = 0;
  std::vector<float> mean_, row_sum_;
  std::vector<int> row_count_;
};

}  // namespace mambo::gui
