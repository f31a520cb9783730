#include "app/gui/panels/delta_layers.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

namespace mambo::gui {
namespace {

constexpr double wake_up_s = 5;

std::uint64_t cell(std::uint64_t sample) { return sample / History::grid_samples; }

}  // namespace

// Its channels from here on, and its past: what is still known is absorbed once more, aside. Where
// that is not all that was heard, the network begins with nothing, and its first seconds, in which
// it finds its way, are left out.
void DeltaLayersPanel::show_layer(Context& c, int layer) {
  c.settings.layer = layer;
  c.settings.ablation = false;  // which stands where they do
  c.session.set_tap_layer(layer);
  c.history.expect_past(layer);
  std::uint64_t first = 0;
  std::vector<std::uint8_t> codes = c.history.known_codes(first);
  const auto wake_up = std::min<std::uint64_t>(
      static_cast<std::uint64_t>(wake_up_s * c.history.rate()), codes.size() / 2);
  c.session.look_back(layer, first, std::move(codes), first == 0 ? 0 : first + wake_up);
}

int DeltaLayersPanel::layer_at(float y) const {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (y >= rows_[i].top && y < rows_[i].bottom + 1) return static_cast<int>(i);
  }
  return -1;
}

void DeltaLayersPanel::place_rows(const Context& c, const Plot& p) {
  const auto& layers = c.facts.layers;
  rows_.resize(layers.size());
  float gaps = 0;
  for (const LayerFacts& l : layers) gaps += l.starts_group ? 1.0F : 0.0F;
  const float gap = c.u(layers.size() > 40 ? 2.0F : 5.0F);
  const float free = p.height() - (gaps - 1) * gap;
  const float each = std::max(1.0F, free / static_cast<float>(layers.size()));
  float y = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i > 0 && layers[i].starts_group) y += gap;
    rows_[i] = {std::round(y), std::round(y + each) - (each > 5 ? 1.0F : 0.0F)};
    y += each;
  }
}

void DeltaLayersPanel::follow_range(const Context& c) {
  const double now = ImGui::GetTime();
  const int n = c.history.layers();
  if (n == 0 || n != static_cast<int>(c.facts.layers.size())) return;
  if (now - range_checked_ < 0.5 && epoch_ == c.history.epoch()) return;
  range_checked_ = now;
  Extent delta;
  Extent horizon;
  const std::uint64_t end = cell(c.history.end()) + 1;
  const auto back = static_cast<std::uint64_t>(20 * c.history.rate()) / History::grid_samples;
  const std::uint64_t from = end > back ? end - back : 0;
  const std::uint64_t step = std::max<std::uint64_t>((end - from) / 64, 1);
  // The means are updated often at first, then more and more rarely: its colours change as a whole.
  const std::uint64_t known = c.history.layer(0).over(0, end).count;
  const bool settle = average_.size() != c.facts.layers.size() || epoch_ != c.history.epoch() ||
                      known >= settle_at_;
  if (settle) {
    average_.assign(c.facts.layers.size(), 0.0F);
    epoch_ = c.history.epoch();
    settle_at_ = std::max<std::uint64_t>(2 * known, 60);
    ++average_version_;
  }
  for (int l = 0; l < n; ++l) {
    const auto& row = c.history.layer(l);
    const auto index = static_cast<std::size_t>(l);
    for (std::uint64_t i = from; i < end; i += step) {
      const Extent e = row.over(i, i + step);
      if (e.empty()) continue;
      delta.add(e.mean());
      horizon.add(c.facts.layers[index].log2_typical - e.mean());
    }
    const Extent all = settle ? row.over(0, end) : Extent{};
    if (!all.empty()) average_[index] = all.mean();
  }
  scale_.delta.follow(delta.min, delta.max);
  scale_.set_heard(c.heard_s());
  scale_.beyond = horizon.max > scale_.longest;
  scale_.horizon.follow(horizon.min, horizon.max);
}

// Over the rows of a time-invariant tier, which show nothing that moves.
void DeltaLayersPanel::label_constant(const Context& c, const Plot& p, float middle) {
  constexpr const char* words = "time-invariant: \u0394 is constant";
  ImFont* font = c.theme.small;
  const ImVec2 size = font->CalcTextSizeA(font->FontSize, FLT_MAX, 0, words);
  const ImVec2 at(p.min.x + c.u(10), middle);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(ImVec2(at.x - c.u(4), middle - size.y / 2),
                     ImVec2(at.x + size.x + c.u(4), middle + size.y / 2), faded(colour::plot, 0.8F),
                     c.u(3));
  draw_text(list, font, at, 0, 0.5F, colour::dim, words);
}

void DeltaLayersPanel::draw_names(const Context& c, const Plot& p) {
  const auto& layers = c.facts.layers;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float line = c.theme.small->FontSize;
  // Left of the strips.
  const float edge = c.plot_left - c.u(14) - SelectivityStrips::width(c);
  const auto label = [&](float y, const char* words, ImU32 ink) {
    draw_text(list, c.theme.small, ImVec2(edge, y), 1, 0.5F, ink, words);
  };
  for (std::size_t first = 0; first < layers.size();) {
    std::size_t last = first + 1;
    while (last < layers.size() && !layers[last].starts_group) ++last;
    const float top = p.min.y + rows_[first].top;
    const float bottom = p.min.y + rows_[last - 1].bottom;
    const float middle = (top + bottom) / 2;
    const float left = c.plot_left - c.u(11) - SelectivityStrips::width(c);
    list.AddRectFilled(ImVec2(left, top), ImVec2(left + c.u(2), bottom), colour::line);
    const LayerFacts& l = layers[first];
    const Words rate("{}", hertz_words(static_cast<double>(c.facts.rate) / l.stride).c_str());
    if (bottom - top > 2.05F * line) {
      label(middle - line * 0.52F, l.group.c_str(), colour::dim);
      label(middle + line * 0.52F, rate.c_str(), colour::faint);
    } else if (bottom - top > 0.8F * line) {
      label(middle, l.group.c_str(), colour::dim);
    }
    if (l.time_invariant && bottom - top > 0.8F * line) label_constant(c, p, middle);
    first = last;
  }
  const auto chosen = static_cast<std::size_t>(std::max(c.settings.layer, 0));
  if (chosen < rows_.size()) {
    const Row& r = rows_[chosen];
    list.AddRectFilled(ImVec2(p.min.x - c.u(5), p.min.y + r.top),
                       ImVec2(p.min.x - c.u(2), p.min.y + r.bottom), colour::text);
    list.AddRect(ImVec2(p.min.x - 1, p.min.y + r.top - 1),
                 ImVec2(p.max.x + 1, p.min.y + r.bottom + 1), faded(colour::text, 0.75F), 0, 0, 1);
  }
}

void DeltaLayersPanel::draw_strips(Context& c, const Plot& p) {
  std::vector<SelectivityStrips::Row> rows;
  for (const Row& r : rows_) rows.push_back({p.min.y + r.top, p.min.y + r.bottom});
  const float right = p.min.x - c.u(8);
  strips_.draw(c, right - SelectivityStrips::width(c), right, rows);
}

void DeltaLayersPanel::draw_readout(Context& c, const Plot& p, int layer) {
  begin_readout(c, p);
  if (layer >= 0) {
    const LayerFacts& l = c.facts.layers[static_cast<std::size_t>(layer)];
    const auto sample = static_cast<std::uint64_t>(std::max(0.0, p.position));
    readout(c, "layer", l.name.c_str());
    readout(
        c, "step",
        Words("{} of its tier, \u00D7{}", sample / static_cast<std::uint64_t>(l.stride), l.stride)
            .c_str());
    if (l.time_invariant)
      readout(c, "mixer", Words("s4d, {} complex states, time-invariant", l.states).c_str());
    const auto& row = c.history.layer(layer);
    if (row.holds(cell(sample)) && row.at(cell(sample)).steps > 0) {
      const LayerSummary& s = row.at(cell(sample));
      readout(c, l.time_invariant ? "\u0394 mean, constant" : "\u0394 mean",
              number_words(std::exp2(static_cast<double>(s.mean))).c_str());
      readout(c, "\u0394 range",
              Words("{} to {}", number_words(std::exp2(static_cast<double>(s.min))).c_str(),
                    number_words(std::exp2(static_cast<double>(s.max))).c_str())
                  .c_str());
      const Pyramid<float>& said = c.history.said(layer);
      if (said.holds(cell(sample)) && std::isfinite(said.at(cell(sample)))) {
        readout(c, "the network says",
                number_words(std::exp2(static_cast<double>(said.at(cell(sample))))).c_str());
      }
      readout(c, "typical horizon", horizon_words(l.log2_typical - s.mean, c.heard_s()).c_str());
      if (!l.time_invariant && static_cast<std::size_t>(layer) < average_.size()) {
        const float change = s.mean - average_[static_cast<std::size_t>(layer)];
        readout(c, "relative to its mean",
                Words("\u00D7 {:.2f}", std::exp2(static_cast<double>(change))).c_str());
      }
    } else {
      readout(c, "\u0394", "not observed");
    }
    text_in(c.theme.small, colour::faint, "click: show its channels below");
  }
  end_readout();
}

void DeltaLayersPanel::draw(Context& c, float top, float bottom) {
  follow_range(c);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const DeltaColour what = c.settings.layer_colour;
  const Palette& colours = DeltaScale::colours(what, c.settings.colour_map);
  const LogRange range = scale_.range(what);
  float x = legend(c.theme, list, ImVec2(c.plot_right, top + c.u(3)), colours,
                   scale_.low_words(what).c_str(), scale_.high_words(what).c_str(),
                   DeltaScale::zero_words(what)) -
            c.u(14);
  x = delta_colour_choice(c.theme, x, top + c.u(3), c.settings.layer_colour);
  panel_title(c, top, "Selectivity \u0394, all layers", "in data-flow order", x);

  Plot p = begin_plot(c, "layers", top + header_height(c), bottom);
  if (!c.has_model() || c.history.layers() != static_cast<int>(c.facts.layers.size()) ||
      average_.size() != c.facts.layers.size()) {
    return;
  }
  place_rows(c, p);
  const auto n = static_cast<int>(rows_.size());
  std::uint64_t key = mix(c.history.epoch(), static_cast<std::uint64_t>(what));
  key = mix(key, static_cast<std::uint64_t>(c.settings.colour_map));
  key = mix(key, static_cast<std::uint64_t>(std::lround(range.lo * 64) + 65536));
  key = mix(key, static_cast<std::uint64_t>(std::lround(range.hi * 64) + 65536));
  if (what == DeltaColour::change) key = mix(key, average_version_);
  const double end = static_cast<double>(cell(c.history.end()) * History::grid_samples);
  picture_.update(
      c.view, n, key, open_column(c.view, end), [&](std::int64_t column, std::uint32_t* texels) {
        const auto [from, to] = c.view.samples_of(column);
        const std::uint64_t a = cell(from);
        const std::uint64_t b = std::max(cell(to), a + 1);
        for (int l = 0; l < n; ++l) {
          const Extent e = to > 0 ? c.history.layer(l).over(a, b) : Extent{};
          const auto i = static_cast<std::size_t>(l);
          if (e.empty()) {
            texels[l] = colour::plot;
            continue;
          }
          const float v =
              DeltaScale::value(what, e.mean(), c.facts.layers[i].log2_typical, average_[i]);
          texels[l] = colour_at(colours, range.place(v));
        }
      });
  for (int l = 0; l < n; ++l) {
    const Row& r = rows_[static_cast<std::size_t>(l)];
    picture_.draw(list, ImVec2(p.min.x, p.min.y + r.top), ImVec2(p.max.x, p.min.y + r.bottom),
                  static_cast<float>(l), static_cast<float>(l + 1));
  }
  draw_names(c, p);
  draw_strips(c, p);
  mark_clip_end(c, p);
  mark_playhead(c, p);
  const int pointed = p.hovered ? layer_at(p.pointer_y) : -1;
  if (p.clicked && pointed >= 0) {
    show_layer(c, pointed);
  }
  if (p.hovered) draw_readout(c, p, pointed);
}

}  // namespace mambo::gui
