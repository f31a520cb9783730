#include "app/gui/panels/spectrogram.h"

#include <algorithm>
#include <cmath>

#include "app/gui/plot/plot.h"

namespace mambo::gui {
namespace {

constexpr float quietest_db = -85;
constexpr float loudest_db = -15;
constexpr int frames_a_call = 120;  // keeps a frame short when a long clip comes at once

}  // namespace

double SpectrogramPanel::hertz_at(double share) const {
  const double top = spectrogram_.rate() / 2.0;
  if (!log_frequency_) return share * top;
  return lowest_hz_ * std::pow(top / lowest_hz_, share);
}

double SpectrogramPanel::share_at(double hertz) const {
  const double top = spectrogram_.rate() / 2.0;
  if (!log_frequency_) return hertz / top;
  return std::log(hertz / lowest_hz_) / std::log(top / lowest_hz_);
}

void SpectrogramPanel::place_rows(int rows) {
  rows_.resize(static_cast<std::size_t>(rows));
  for (int r = 0; r < rows; ++r) {
    rows_[static_cast<std::size_t>(r)] = {
        hertz_at(1.0 - static_cast<double>(r + 1) / rows) / spectrogram_.bin_hz(),
        hertz_at(1.0 - static_cast<double>(r) / rows) / spectrogram_.bin_hz()};
  }
}

void SpectrogramPanel::fill(const Context& c, std::int64_t column, std::uint32_t* texels) const {
  const auto hop = static_cast<double>(spectrogram_.hop());
  const double from = static_cast<double>(column) * c.view.samples_per_px / hop + 0.5;
  const double to = from + c.view.samples_per_px / hop;
  const Palette& p = palette(ColourMap::magma);
  if (to <= 0) {
    std::fill_n(texels, rows_.size(), colour::plot);
    return;
  }
  const auto first = static_cast<std::uint64_t>(std::max(0.0, std::floor(from)));
  const auto last = std::max(static_cast<std::uint64_t>(std::floor(to)), first + 1);
  for (const auto& [low, top] : rows_) {
    float db = 0;
    if (top - low < 1.5) {  // finer than the transform: between two bins
      const double mid = (top + low) / 2;
      const auto bin = static_cast<std::size_t>(mid);
      const auto t = static_cast<float>(mid - std::floor(mid));
      const std::size_t next = std::min(bin + 1, spectrogram_.bins() - 1);
      db = (1 - t) * spectrogram_.level(first, last, bin) +
           t * spectrogram_.level(first, last, next);
    } else {
      const auto end = std::min(static_cast<std::size_t>(std::ceil(top)), spectrogram_.bins());
      auto bin = static_cast<std::size_t>(low);
      db = spectrogram_.level(first, last, bin);
      while (++bin < end) db = std::max(db, spectrogram_.level(first, last, bin));
    }
    *texels++ =
        std::isnan(db)
            ? colour::plot
            : colour_at(p, std::clamp((db - quietest_db) / (loudest_db - quietest_db), 0.0F, 1.0F));
  }
}

void SpectrogramPanel::draw(Context& c, float top, float bottom) {
  if (spectrogram_.rate() != c.history.rate()) spectrogram_.reset(c.history.rate(), 95);
  spectrogram_.follow(c.history.samples(), c.history.epoch(), frames_a_call);
  log_frequency_ = c.settings.log_frequency;

  panel_title(c, top, "Spectrogram");
  ImDrawList& list = *ImGui::GetWindowDrawList();
  float x = legend(c.theme, list, ImVec2(c.plot_right, top + c.u(3)), palette(ColourMap::magma),
                   "\u221285", "\u221215 dB") -
            c.u(14);
  int scale = log_frequency_ ? 0 : 1;
  x -= segmented_width(c.theme, {"log", "linear"});
  ImGui::SetCursorScreenPos(ImVec2(x, top + c.u(3)));
  if (segmented(c.theme, "scale", {"log", "linear"}, scale, "How frequencies are spaced")) {
    c.settings.log_frequency = scale == 0;
  }

  Plot p = begin_plot(c, "spectrogram", top + header_height(c), bottom, true);
  const int rows = std::max(1, static_cast<int>(p.height()));
  place_rows(rows);
  std::uint64_t key = mix(c.history.epoch(), log_frequency_ ? 1 : 2);
  key = mix(key, static_cast<std::uint64_t>(c.history.rate()));
  const double end =
      static_cast<double>(spectrogram_.end()) * static_cast<double>(spectrogram_.hop()) -
      static_cast<double>(spectrogram_.hop());
  picture_.update(c.view, rows, key, open_column(c.view, end),
                  [&](std::int64_t column, std::uint32_t* t) { fill(c, column, t); });
  picture_.draw(list, p.min, p.max, 0, static_cast<float>(rows));
  if (c.view.begin() > end && c.history.end() > c.history.begin()) {
    draw_text(list, c.theme.small, ImVec2((p.min.x + p.max.x) / 2, (p.min.y + p.max.y) / 2), 0.5F,
              0.5F, colour::faint, "a spectrum also needs the 64 ms that follow");
  }
  mark_clip_end(c, p);
  mark_playhead(c, p);
  for (const double hz : {100.0, 1000.0, 4000.0, 10000.0}) {
    const auto y = p.max.y - static_cast<float>(share_at(hz)) * p.height();
    if (y < p.min.y + c.u(5) || y > p.max.y - c.u(5)) continue;
    axis_label(c, y, hertz_words(hz).c_str());
  }
  if (!p.hovered) return;
  begin_readout(c, p);
  const double hz = hertz_at(1.0 - static_cast<double>(p.pointer_y / p.height()));
  readout(c, "frequency", hertz_words(hz).c_str());
  const auto frame = static_cast<std::uint64_t>(
      std::max(0.0, p.position / static_cast<double>(spectrogram_.hop()) + 0.5));
  const float db = spectrogram_.level(
      frame, frame + 1, static_cast<std::size_t>(std::lround(hz / spectrogram_.bin_hz())));
  if (!std::isnan(db)) readout(c, "level", Words("{:.1f} dB", db).c_str());
  end_readout();
}

}  // namespace mambo::gui
