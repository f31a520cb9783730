#include "app/gui/history/history.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace mambo::gui {
namespace {

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
constexpr float bits_a_nat = std::numbers::log2e_v<float>;

// Δ of a layer that stands still is 0: shown as a horizon of ages.
float log2_of(float delta) { return std::log2(std::max(delta, 1e-9F)); }

std::size_t size_of(double count) { return static_cast<std::size_t>(std::ceil(count)); }

}  // namespace

History::History(double seconds, std::size_t delta_budget_bytes)
    : seconds_(seconds), tap_(delta_budget_bytes), past_(delta_budget_bytes) {}

void History::set_model(const HistoryShape& shape) {
  shape_ = shape;
  const std::size_t capacity = size_of(seconds_ * shape.rate);
  samples_ = Pyramid<float>(capacity);
  surprise_ = Pyramid<float>(capacity);
  entropy_ = Pyramid<float>(capacity);
  codes_.assign(capacity + 16384, -1);  // a pyramid keeps a few more than it was asked for
  layers_.assign(shape.layers.size(), Pyramid<LayerSummary>(capacity / grid_samples));
  said_.assign(shape.layers.size(), Pyramid<float>(capacity / grid_samples));
  held_.assign(shape.layers.size(), LayerSummary{});
  held_said_.assign(shape.layers.size(), unknown);
  tap_.reset(0, 0);
  tap_layer_ = -1;
  past_layer_ = -1;
  started_ = false;
  clip_end_ = 0;
  ++epoch_;
}

void History::restart(const Observation& o) {
  // After Again only the samples after the clip are void; the clip remains valid.
  if (started_ && o.first > 0 && o.first == clip_end_ && !o.from_clip) {
    forget_from(o.first);
  } else {
    samples_.reset(o.first);
    surprise_.reset(o.first);
    entropy_.reset(o.first);
    for (auto& l : layers_) l.reset((o.first + grid_samples - 1) / grid_samples);
    for (auto& l : said_) l.reset((o.first + grid_samples - 1) / grid_samples);
    tap_.truncate(0);
    clip_end_ = o.first;
  }
  past_layer_ = -1;
  held_.assign(held_.size(), LayerSummary{});
  held_said_.assign(held_said_.size(), unknown);
  generation_ = o.generation;
  started_ = true;
  ++epoch_;
}

void History::forget_from(std::uint64_t position) {
  samples_.truncate(position);
  surprise_.truncate(position);
  entropy_.truncate(position);
  for (auto& l : layers_) l.truncate((position + grid_samples - 1) / grid_samples);
  for (auto& l : said_) l.truncate((position + grid_samples - 1) / grid_samples);
  if (tap_layer_ >= 0) {
    const auto stride = shape_.layers[static_cast<std::size_t>(tap_layer_)].stride;
    tap_.truncate(position / static_cast<std::uint64_t>(stride));
  }
  ++epoch_;
}

void History::add(const Observation& o) {
  if (layers_.empty() && codes_.empty()) return;  // no model yet
  if (!started_ || o.generation != generation_) restart(o);
  if (o.first < end()) forget_from(o.first);
  add_samples(o);
  add_layers(o);
  add_tap(o);
}

void History::add_samples(const Observation& o) {
  if (o.codes.empty()) return;
  const std::uint64_t gap = o.first - end();
  if (gap > codes_.size()) {
    samples_.reset(o.first);
    surprise_.reset(o.first);
    entropy_.reset(o.first);
  }
  missed_ += gap;
  while (end() < o.first) {
    codes_[end() % codes_.size()] = -1;
    samples_.push(unknown);
    surprise_.push(unknown);
    entropy_.push(unknown);
  }
  for (std::size_t i = 0; i < o.codes.size(); ++i) {
    codes_[end() % codes_.size()] = o.codes[i];
    samples_.push(shape_.decode[o.codes[i]]);
    surprise_.push(i < o.log_prob.size() ? -o.log_prob[i] * bits_a_nat : unknown);
    entropy_.push(i < o.entropy.size() ? o.entropy[i] * bits_a_nat : unknown);
  }
  if (o.from_clip) clip_end_ = end();
}

void History::add_layers(const Observation& o) {
  const std::uint64_t cells_end = (o.first + o.codes.size() + grid_samples - 1) / grid_samples;
  const std::uint64_t cells_begin = (o.first + grid_samples - 1) / grid_samples;
  const bool summed_up = o.layers.size() == layers_.size();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    auto& row = layers_[l];
    if (summed_up && o.layers[l].steps > 0) {
      const LayerSummary& s = o.layers[l];
      held_[l] = {log2_of(s.mean), log2_of(s.min), log2_of(s.max), s.steps};
      const bool by_hand = l < o.said.size() && o.said[l].steps > 0 && o.said[l].mean != s.mean;
      held_said_[l] = by_hand ? log2_of(o.said[l].mean) : unknown;
    } else if (!summed_up) {
      held_[l] = LayerSummary{};
      held_said_[l] = unknown;
    }
    auto& said = said_[l];
    if (cells_begin > row.end() + 65536) {
      row.reset(cells_begin);
      said.reset(cells_begin);
    }
    while (row.end() < cells_begin) {
      row.push(LayerSummary{});
      said.push(unknown);
    }
    while (row.end() < cells_end) {
      row.push(held_[l]);
      said.push(held_said_[l]);
    }
  }
}

void History::add_tap(const Observation& o) {
  if (o.tap_layer < 0 || o.tap_steps <= 0) return;
  const auto index = static_cast<std::size_t>(o.tap_layer);
  if (index >= shape_.layers.size()) return;
  const HistoryShape::Layer& layer = shape_.layers[index];
  if (o.tap_channels != layer.channels) return;
  if (o.tap_layer != tap_layer_) choose_tap(o.tap_layer);
  tap_.push(o.tap_first_step, o.tap_steps, o.tap_rows().data());
}

void History::choose_tap(int layer) {
  const HistoryShape::Layer& shape = shape_.layers[static_cast<std::size_t>(layer)];
  tap_.reset(shape.channels, static_cast<std::uint64_t>(seconds_ * shape_.rate / shape.stride) + 1);
  tap_layer_ = layer;
  ++tap_epoch_;
}

std::vector<std::uint8_t> History::known_codes(std::uint64_t& first) const {
  first = end();
  while (first > begin() && code_at(first - 1) >= 0) --first;
  std::vector<std::uint8_t> codes;
  codes.reserve(static_cast<std::size_t>(end() - first));
  for (std::uint64_t i = first; i < end(); ++i) {
    codes.push_back(static_cast<std::uint8_t>(code_at(i)));
  }
  return codes;
}

void History::expect_past(int layer) {
  past_layer_ = -1;
  if (layer < 0 || layer >= layers()) return;
  const HistoryShape::Layer& shape = shape_.layers[static_cast<std::size_t>(layer)];
  past_.reset(shape.channels,
              static_cast<std::uint64_t>(seconds_ * shape_.rate / shape.stride) + 1);
  past_layer_ = layer;
}

void History::add_past(const PastRows& rows) {
  if (rows.layer != past_layer_ || rows.channels != past_.channels()) return;
  past_.push(rows.first_step, static_cast<int>(rows.delta.size()) / std::max(rows.channels, 1),
             rows.delta.data());
  if (!rows.last) return;
  // Where nothing was drawn since (it is paused), the layer before is still the one observed.
  if (tap_layer_ != past_layer_) choose_tap(past_layer_);
  past_.join(tap_);
  std::swap(tap_, past_);
  past_.reset(0, 0);
  past_layer_ = -1;
  ++tap_epoch_;
}

int History::code_at(std::uint64_t position) const {
  return samples_.holds(position) ? codes_[position % codes_.size()] : -1;
}

double History::tap_seconds_kept() const {
  if (tap_layer_ < 0) return 0;
  const int stride = shape_.layers[static_cast<std::size_t>(tap_layer_)].stride;
  const double kept = static_cast<double>(tap_.capacity()) * stride / shape_.rate;
  return std::min(kept, seconds_);
}

}  // namespace mambo::gui
