#include "kernels/selectivity.h"

#include <algorithm>
#include <atomic>

#include "kernels/error.h"

namespace mambo {
namespace {

std::size_t padded(std::size_t n) { return (n + 15) / 16 * 16; }

std::vector<float> mean_of(const std::vector<double>& sum, std::uint64_t steps) {
  std::vector<float> mean(sum.size());
  std::transform(sum.begin(), sum.end(), mean.begin(),
                 [steps](double s) { return static_cast<float>(s / static_cast<double>(steps)); });
  return mean;
}

// offset = factor * mean, or nothing.
void scale(const std::vector<float>& mean, float factor, std::vector<float>& offset) {
  for (std::size_t i = 0; i < mean.size(); ++i) offset[i] = factor * mean[i];
}

std::uint64_t next_version() {
  static std::atomic<std::uint64_t> last{0};
  return 1 + last.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

SelectionSums::SelectionSums(const NetworkView& net) {
  for (const LayerView& l : net.layers) {
    Layer sums;
    if (!l.time_invariant()) {
      sums.delta.resize(static_cast<std::size_t>(net.tier_of(l).d_inner));
      sums.B.resize(static_cast<std::size_t>(l.states()));
      sums.C.resize(static_cast<std::size_t>(l.states()));
    }
    layers_.push_back(std::move(sums));
  }
}

SelectionMeans SelectionSums::means() const {
  SelectionMeans means;
  for (const Layer& l : layers_) {
    if (!l.delta.empty() && l.steps == 0) return {};
    means.layers.push_back(
        {mean_of(l.delta, l.steps), mean_of(l.B, l.steps), mean_of(l.C, l.steps)});
  }
  return means;
}

Selectivity::Selectivity(const StateLayout& layout) : values_(layout.layers.size()) {
  for (const StateLayout::Layer& l : layout.layers) {
    Layer layer;
    selects_.push_back(l.selects);
    if (l.selects) {
      layer.delta_offset.resize(padded(static_cast<std::size_t>(l.d_inner)));
      layer.B_offset.resize(padded(static_cast<std::size_t>(l.states)));
      layer.C_offset.resize(padded(static_cast<std::size_t>(l.states)));
    }
    layers_.push_back(std::move(layer));
  }
}

void Selectivity::set_means(const SelectionMeans& means) {
  if (!means.empty()) {
    bool fits = means.layers.size() == layers_.size();
    for (std::size_t i = 0; fits && i < layers_.size(); ++i) {
      const SelectionMeans::Layer& m = means.layers[i];
      fits = selects_[i] != m.delta.empty() && m.delta.size() <= layers_[i].delta_offset.size() &&
             m.B.size() <= layers_[i].B_offset.size() && m.C.size() == m.B.size();
    }
    if (!fits) throw Error("means of delta, B and C: expected those of this network");
  }
  means_ = means;
  for (std::size_t i = 0; i < layers_.size(); ++i) update(i);
}

void Selectivity::set(int layer, const LayerSelectivity& by_hand) {
  const auto i = static_cast<std::size_t>(layer);
  if (values_[i] == by_hand) return;
  values_[i] = by_hand;
  update(i);
}

void Selectivity::set_all(const LayerSelectivity& by_hand) {
  for (std::size_t i = 0; i < values_.size(); ++i) set(static_cast<int>(i), by_hand);
}

void Selectivity::update(std::size_t layer) {
  const LayerSelectivity& v = values_[layer];
  Layer& l = layers_[layer];
  on_ -= l.off ? 0 : 1;
  if (selects_[layer]) {
    const bool can_hold = has_means();
    const float hold_delta = can_hold ? v.hold_delta : 0.0F;
    const float hold_B = can_hold ? v.hold_B : 0.0F;
    const float hold_C = can_hold ? v.hold_C : 0.0F;
    l.off = hold_delta == 0 && hold_B == 0 && hold_C == 0 && v.delta_scale == 1 && v.read == 1;
    l.delta_gain = v.delta_scale * (1 - hold_delta);
    l.B_gain = 1 - hold_B;
    l.C_gain = v.read * (1 - hold_C);
    if (can_hold) {
      const SelectionMeans::Layer& m = means_.layers[layer];
      scale(m.delta, v.delta_scale * hold_delta, l.delta_offset);
      scale(m.B, hold_B, l.B_offset);
      scale(m.C, v.read * hold_C, l.C_offset);
    } else {
      std::fill(l.delta_offset.begin(), l.delta_offset.end(), 0.0F);
      std::fill(l.B_offset.begin(), l.B_offset.end(), 0.0F);
      std::fill(l.C_offset.begin(), l.C_offset.end(), 0.0F);
    }
  } else {
    l.read = v.read;
    l.off = v.read == 1;
  }
  on_ += l.off ? 0 : 1;
  version_ = next_version();
}

}  // namespace mambo
