#include "app/gui/panels/waveform.h"

#include <algorithm>
#include <cmath>

#include "app/gui/plot/plot.h"

namespace mambo::gui {
namespace {

// Calls f(x of the column's left edge, extent) for every column in view that has data.
template <class F>
void for_each_column(const Context& c, const Plot& p, const Pyramid<float>& signal, F&& f) {
  for (int i = 0; i < c.view.columns; ++i) {
    const auto [from, to] = c.view.samples_of(c.view.first_column + i);
    const Extent e = signal.over(from, to);
    if (!e.empty()) f(p.min.x + static_cast<float>(i), e, from);
  }
}

// Calls f(x, value) for each sample in view and one on either side; f(x, NaN) where unknown.
template <class F>
void for_each_sample(const Context& c, const Plot& p, const Pyramid<float>& signal, F&& f) {
  const auto first = static_cast<std::uint64_t>(std::max(0.0, std::floor(c.view.begin()) - 1));
  const auto last = static_cast<std::uint64_t>(std::max(0.0, std::ceil(c.view.end()) + 1));
  const std::uint64_t from = std::max(first, signal.begin());
  const std::uint64_t to = std::min(last, signal.end());
  for (std::uint64_t i = from; i < to; ++i) {
    const double x = c.view.px(static_cast<double>(i) + 0.5);
    f(p.min.x + static_cast<float>(x), signal.at(i), i);
  }
}

void envelope(ImDrawList& list, float x, float y0, float y1, ImU32 colour) {
  list.PrimReserve(6, 4);
  list.PrimRect(ImVec2(x, y0), ImVec2(x + 1, std::max(y1, y0 + 1)), colour);
}

}  // namespace

void WaveformPanel::choose_gain(const Context& c) {
  const auto from = static_cast<std::uint64_t>(std::max(0.0, c.view.begin()));
  const auto to = static_cast<std::uint64_t>(std::max(0.0, c.view.end()));
  const Extent e = c.history.samples().over(from, to);
  if (e.empty()) return;
  const float peak = std::max({std::fabs(e.min), std::fabs(e.max), 1e-3F});
  const float share = peak * gain_;
  if (share <= 1.0F && share > 0.35F) return;
  gain_ = 1;
  while (gain_ < 64 && peak * gain_ * 2 <= 0.95F) gain_ *= 2;
}

void WaveformPanel::draw(Context& c, float top, float bottom) {
  panel_title(c, top, "Waveform");
  Plot p = begin_plot(c, "waveform", top + header_height(c), bottom);
  choose_gain(c);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.PushClipRect(p.min, p.max, true);
  shade_clip(c, p);
  const float middle = std::floor((p.min.y + p.max.y) / 2);
  const float half = p.height() / 2 - c.u(3);
  list.AddRectFilled(ImVec2(p.min.x, middle), ImVec2(p.max.x, middle + 1), colour::grid);
  const auto y_of = [&](float v) { return middle - v * gain_ * half; };
  const std::uint64_t clip_end = c.history.clip_end();
  const double live = c.timeline.live();
  const auto ink = [&](std::uint64_t at) {
    if (at < clip_end) return colour::wave_clip;
    return static_cast<double>(at) < live ? colour::wave : faded(colour::wave, 0.45F);
  };
  if (c.view.samples_per_px > 2) {
    for_each_column(c, p, c.history.samples(), [&](float x, const Extent& e, std::uint64_t at) {
      envelope(list, x, y_of(e.max), y_of(e.min), ink(at));
    });
  } else {
    const float dot = c.view.samples_per_px < 0.17 ? c.u(2.2F) : 0;
    ImVec2 before(0, 0);
    bool joined = false;
    for_each_sample(c, p, c.history.samples(), [&](float x, float v, std::uint64_t at) {
      const ImVec2 here(x, y_of(v));
      const bool known = !std::isnan(v);
      if (known && joined) list.AddLine(before, here, ink(at), c.u(1.2F));
      if (known && dot > 0) list.AddCircleFilled(here, dot, ink(at), 10);
      before = here;
      joined = known;
    });
  }
  list.PopClipRect();
  mark_playhead(c, p);
  axis_label(c, p.min.y + c.u(7), Words("{:+.3g}", 1 / gain_).c_str());
  axis_label(c, middle, "0");
  axis_label(c, p.max.y - c.u(7), Words("\u2212{:.3g}", 1 / gain_).c_str());
  if (!p.hovered) return;
  begin_readout(c, p);
  if (c.view.samples_per_px > 2) {
    const auto [from, to] =
        c.view.samples_of(c.view.first_column + static_cast<std::int64_t>(c.cursor));
    const Extent e = c.history.samples().over(from, to);
    if (!e.empty()) {
      readout(c, Words("{} samples", to - from).c_str(),
              Words("{:+.4f} to {:+.4f}", e.min, e.max).c_str());
    }
  }
  end_readout();
}

void SurprisePanel::draw(Context& c, float top, float bottom) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float middle = top + c.u(12);
  float x = c.plot_right;
  x -= draw_text(list, c.theme.small, ImVec2(x, middle), 1, 0.5F, colour::dim, "entropy");
  list.AddRectFilled(ImVec2(x - c.u(22), middle - c.u(1)), ImVec2(x - c.u(6), middle + c.u(1)),
                     colour::warm);
  x -= c.u(36);
  x -= draw_text(list, c.theme.small, ImVec2(x, middle), 1, 0.5F, colour::dim, "surprise");
  list.AddRectFilled(ImVec2(x - c.u(22), middle - c.u(1)), ImVec2(x - c.u(6), middle + c.u(1)),
                     colour::accent);
  panel_title(c, top, "Surprise", "how unlikely each drawn sample was, in bits", x - c.u(22));

  Plot p = begin_plot(c, "surprise", top + header_height(c), bottom);
  constexpr float most = 8;  // bits: log2 of 256 codes
  const auto y_of = [&](float bits) {
    return p.max.y - c.u(2) - std::min(bits / most, 1.02F) * (p.height() - c.u(4));
  };
  list.PushClipRect(p.min, p.max, true);
  shade_clip(c, p);
  if (c.view.samples_per_px > 1) {
    for_each_column(c, p, c.history.surprise(), [&](float px, const Extent& e, std::uint64_t) {
      envelope(list, px, y_of(e.max), y_of(e.min), faded(colour::accent, 0.22F));
    });
    const auto line = [&](const Pyramid<float>& signal, ImU32 ink) {
      const float thick = c.u(1.4F);
      float y_before = -1;
      for_each_column(c, p, signal, [&](float px, const Extent& e, std::uint64_t) {
        const float y = y_of(e.mean());
        const float a = y_before < 0 ? y : std::min(y, y_before);
        const float b = y_before < 0 ? y : std::max(y, y_before);
        envelope(list, px, a - thick / 2, b + thick / 2, ink);
        y_before = y;
      });
    };
    line(c.history.surprise(), colour::accent);
    line(c.history.entropy(), colour::warm);
  } else {
    const auto bar = static_cast<float>(1 / c.view.samples_per_px);
    for_each_sample(c, p, c.history.surprise(), [&](float px, float v, std::uint64_t) {
      if (std::isnan(v)) return;
      list.AddRectFilled(ImVec2(px - bar * 0.35F, y_of(v)),
                         ImVec2(px + bar * 0.35F + 0.5F, p.max.y), faded(colour::accent, 0.6F));
    });
    for_each_sample(c, p, c.history.entropy(), [&](float px, float v, std::uint64_t) {
      if (std::isnan(v)) return;
      list.AddRectFilled(ImVec2(px - bar / 2, y_of(v) - c.u(0.8F)),
                         ImVec2(px + bar / 2 + 0.5F, y_of(v) + c.u(0.8F)), colour::warm);
    });
  }
  list.PopClipRect();
  mark_playhead(c, p);
  axis_label(c, p.min.y + c.u(7), "8 bit");
  if (p.height() > c.u(28)) axis_label(c, p.max.y - c.u(7), "0");  // or the two overlap
  if (!p.hovered) return;
  begin_readout(c, p);
  const auto at = static_cast<std::uint64_t>(std::max(0.0, p.position));
  if (c.history.surprise().holds(at) && !std::isnan(c.history.surprise().at(at))) {
    readout(c, "surprise", Words("{:.2f} bit", c.history.surprise().at(at)).c_str());
    readout(c, "entropy", Words("{:.2f} bit", c.history.entropy().at(at)).c_str());
    const auto [from, to] =
        c.view.samples_of(c.view.first_column + static_cast<std::int64_t>(c.cursor));
    const Extent e = c.history.surprise().over(from, to);
    if (to - from > 1 && !e.empty()) {
      readout(c, Words("mean of {}", to - from).c_str(), Words("{:.2f} bit", e.mean()).c_str());
    }
  } else {
    readout(c, "surprise", at < c.history.clip_end() ? "not measured for the clip" : "\u2013");
  }
  end_readout();
}

}  // namespace mambo::gui
