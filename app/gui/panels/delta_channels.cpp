#include "app/gui/panels/delta_channels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mambo::gui {

// Sorted with the first data, then again at growing intervals: rows that move often are hard to
// read.
void DeltaChannelsPanel::sort_channels(const Context& c, const LayerFacts& layer) {
  const DeltaHistory& tap = c.history.tap();
  const std::uint64_t known = tap.end() - tap.begin();
  const auto channels = static_cast<std::size_t>(layer.channels);
  const bool changed = sorted_epoch_ != c.history.tap_epoch() ||
                       sorted_by_ != c.settings.channel_order || order_.size() != channels;
  if (changed) sort_again_at_ = 0;
  const bool by_horizon = c.settings.channel_order == ChannelOrder::horizon;
  if (!changed && known < sort_again_at_) return;
  sorted_epoch_ = c.history.tap_epoch();
  sorted_by_ = c.settings.channel_order;
  order_.resize(channels);
  std::iota(order_.begin(), order_.end(), 0);
  ++order_version_;
  const auto a_quarter_second = static_cast<std::uint64_t>(c.facts.rate / layer.stride / 4) + 1;
  sort_again_at_ = std::max(a_quarter_second, known * 4);
  tap.mean(tap.begin(), tap.end(), average_);
  if (!by_horizon) return;
  const auto horizon = [&](int ch) {
    return layer.log2_numerator[static_cast<std::size_t>(ch)] -
           average_[static_cast<std::size_t>(ch)];
  };
  std::stable_sort(order_.begin(), order_.end(),
                   [&](int a, int b) { return horizon(a) > horizon(b); });
}

void DeltaChannelsPanel::follow_range(const Context& c, const LayerFacts& layer) {
  const DeltaHistory& tap = c.history.tap();
  const double now = ImGui::GetTime();
  if (range_epoch_ == c.history.tap_epoch() && now - range_checked_ < 0.5) return;
  if (range_epoch_ != c.history.tap_epoch()) scale_ = {};
  range_epoch_ = c.history.tap_epoch();
  range_checked_ = now;
  const std::uint64_t n = tap.end() - tap.begin();
  if (n == 0) return;
  std::vector<float> deltas;  // twice per second
  std::vector<float> horizons;
  const std::uint64_t back = std::min<std::uint64_t>(
      n, static_cast<std::uint64_t>(20LL * c.facts.rate / layer.stride) + 1);
  constexpr std::uint64_t looks = 24;
  for (std::uint64_t k = 0; k < looks; ++k) {
    const std::uint64_t step = tap.end() - back + back * k / looks;
    for (int ch = 0; ch < layer.channels; ch += 1 + layer.channels / 256) {
      const float v = tap.log2_at(step, ch);
      if (std::isnan(v)) continue;
      deltas.push_back(v);
      horizons.push_back(layer.log2_numerator[static_cast<std::size_t>(ch)] - v);
    }
  }
  const auto follow = [](LogRange& range, std::vector<float>& v) {
    if (v.empty()) return;
    std::sort(v.begin(), v.end());
    range.follow(v[v.size() / 50], v[v.size() - 1 - v.size() / 50]);
  };
  follow(scale_.delta, deltas);
  follow(scale_.horizon, horizons);
  scale_.set_heard(c.heard_s());
  scale_.beyond = !horizons.empty() && horizons.back() > scale_.longest;  // sorted
}

void DeltaChannelsPanel::fill(const Context& c, const LayerFacts& layer, std::int64_t column,
                              std::uint32_t* texels) {
  const auto rows = static_cast<std::size_t>(rows_);
  const auto [from, to] = c.view.samples_of(column);
  const auto stride = static_cast<std::uint64_t>(layer.stride);
  const std::uint64_t a = from / stride;
  const std::uint64_t b = std::max(to / stride, a + 1);
  if (to == 0 || c.history.tap().mean(a, b, mean_) <= 0) {
    std::fill_n(texels, rows, colour::plot);
    return;
  }
  const DeltaColour what = c.settings.channel_colour;
  // More channels than pixels: a row shows the mean of those that fall on it.
  row_sum_.assign(rows, 0.0F);
  row_count_.assign(rows, 0);
  const std::size_t channels = order_.size();
  for (std::size_t i = 0; i < channels; ++i) {
    const int ch = order_[i];
    const std::size_t r = i * rows / channels;
    const auto i_ch = static_cast<std::size_t>(ch);
    row_sum_[r] += DeltaScale::value(what, mean_[i_ch], layer.log2_numerator[i_ch], average_[i_ch]);
    ++row_count_[r];
  }
  const LogRange range = scale_.range(what);
  const Palette& colours = DeltaScale::colours(what, c.settings.colour_map);
  for (std::size_t r = 0; r < rows; ++r) {
    texels[r] =
        row_count_[r] == 0
            ? colour::plot
            : colour_at(colours, range.place(row_sum_[r] / static_cast<float>(row_count_[r])));
  }
}

void DeltaChannelsPanel::draw_header(Context& c, float top, const LayerFacts& layer) {
  const double kept = c.history.tap_seconds_kept();
  const Words detail("{} channels at {}{}{}", layer.channels,
                     hertz_words(static_cast<double>(c.facts.rate) / layer.stride).c_str(),
                     layer.time_invariant ? ", time-invariant: constant" : "",
                     kept > 0 && kept < Timeline::max_span_s - 0.5
                         ? Words(", the last {:.0f} s kept", kept).c_str()
                         : "");
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const DeltaColour what = c.settings.channel_colour;
  float x = legend(c.theme, list, ImVec2(c.plot_right, top + c.u(3)),
                   DeltaScale::colours(what, c.settings.colour_map), scale_.low_words(what).c_str(),
                   scale_.high_words(what).c_str(), DeltaScale::zero_words(what)) -
            c.u(14);
  x = delta_colour_choice(c.theme, x, top + c.u(3), c.settings.channel_colour) - c.u(8);
  int order = static_cast<int>(c.settings.channel_order);
  x -= segmented_width(c.theme, {"by horizon", "by index"});
  ImGui::SetCursorScreenPos(ImVec2(x, top + c.u(3)));
  if (segmented(c.theme, "order", {"by horizon", "by index"}, order,
                "Order of the channels: longest memory on top, or by number")) {
    c.settings.channel_order = static_cast<ChannelOrder>(order);
  }
  panel_title(c, top, Words("\u0394 of {}", layer.name).c_str(), detail.c_str(), x);
}

void DeltaChannelsPanel::draw_readout(Context& c, const Plot& p, const LayerFacts& layer) {
  begin_readout(c, p);
  const auto step = static_cast<std::uint64_t>(std::max(0.0, p.position)) /
                    static_cast<std::uint64_t>(layer.stride);
  const std::size_t channels = order_.size();
  const auto place = static_cast<std::size_t>(std::clamp(p.pointer_y / p.height(), 0.0F, 0.9999F) *
                                              static_cast<float>(channels));
  const int ch = order_[std::min(place, channels - 1)];
  readout(c, "layer", Words("{}, step {}", layer.name, step).c_str());
  readout(c, "channel", Words("{}", ch).c_str());
  const float v = c.history.tap().log2_at(step, ch);
  if (std::isnan(v)) {
    readout(c, "\u0394", c.history.tap().end() == 0 ? "waiting for sound" : "not observed");
  } else {
    readout(c, layer.time_invariant ? "\u0394, constant" : "\u0394",
            number_words(std::exp2(static_cast<double>(v))).c_str());
    const float numerator = layer.log2_numerator[static_cast<std::size_t>(ch)];
    readout(c, "horizon", horizon_words(numerator - v, c.heard_s()).c_str());
    if (!layer.time_invariant) {
      const float change = v - average_[static_cast<std::size_t>(ch)];
      readout(c, "relative to its mean",
              Words("\u00D7 {:.2f}", std::exp2(static_cast<double>(change))).c_str());
    }
  }
  end_readout();
}

void DeltaChannelsPanel::draw(Context& c, float top, float bottom) {
  const int chosen = c.settings.layer;
  const bool there =
      c.has_model() && chosen >= 0 && chosen < static_cast<int>(c.facts.layers.size());
  if (!there) {
    panel_title(c, top, "\u0394 of one layer");
    begin_plot(c, "channels", top + header_height(c), bottom);
    return;
  }
  const LayerFacts& layer = c.facts.layers[static_cast<std::size_t>(chosen)];
  const bool observed = c.history.tap_layer() == chosen;
  if (observed) {
    sort_channels(c, layer);
    follow_range(c, layer);
  }
  draw_header(c, top, layer);
  const bool known = observed && !order_.empty() && average_.size() == order_.size();
  Plot p = begin_plot(c, "channels", top + header_height(c), bottom, known);
  if (!known) return;
  rows_ = std::max(1, std::min(static_cast<int>(p.height()), layer.channels));
  const LogRange range = scale_.range(c.settings.channel_colour);
  std::uint64_t key = mix(c.history.tap_epoch(), order_version_);
  key = mix(key, static_cast<std::uint64_t>(c.settings.channel_colour));
  key = mix(key, static_cast<std::uint64_t>(c.settings.colour_map));
  key = mix(key, static_cast<std::uint64_t>(std::lround(range.lo * 64) + 65536));
  key = mix(key, static_cast<std::uint64_t>(std::lround(range.hi * 64) + 65536));
  const double end = static_cast<double>(c.history.tap().end()) * layer.stride;
  picture_.update(c.view, rows_, key, open_column(c.view, end),
                  [&](std::int64_t column, std::uint32_t* t) { fill(c, layer, column, t); });
  ImDrawList& list = *ImGui::GetWindowDrawList();
  picture_.draw(list, p.min, p.max, 0, static_cast<float>(rows_));
  mark_clip_end(c, p);
  mark_playhead(c, p);
  const bool by_horizon = c.settings.channel_order == ChannelOrder::horizon;
  axis_label(c, p.min.y + c.u(7), by_horizon ? "remembers" : "0");
  axis_label(c, p.max.y - c.u(7), by_horizon ? "forgets" : Words("{}", layer.channels - 1).c_str());
  if (p.hovered) draw_readout(c, p, layer);
}

}  // namespace mambo::gui
