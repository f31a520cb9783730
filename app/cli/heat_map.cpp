#include "app/cli/heat_map.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "app/cli/picture.h"

namespace mambo {
namespace {

constexpr int most_columns = 1200;
constexpr float smallest = 1e-12F;  // softplus underflows to 0
constexpr Colour ground{18, 20, 24}, ink{200, 204, 210};

// 1, 2 or 5 times a power of ten, so that about `parts` of them make `range`.
double round_step(double range, int parts) {
  const double raw = range / parts;
  const double ten = std::pow(10, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (m * ten >= raw) return m * ten;
  }
  return 10 * ten;
}

}  // namespace

HeatMap::HeatMap(std::string layer, int channels, std::uint64_t steps, double step_s, double from_s)
    : layer_(std::move(layer)),
      channels_(channels),
      steps_(steps),
      step_s_(step_s),
      from_s_(from_s),
      columns_(static_cast<int>(std::min<std::uint64_t>(steps, most_columns))),
      sum_(static_cast<std::size_t>(columns_) * channels),
      count_(static_cast<std::size_t>(columns_)) {}

void HeatMap::add(std::uint64_t first, int rows, const float* delta) {
  for (int r = 0; r < rows; ++r, delta += channels_) {
    const std::uint64_t step = first + static_cast<std::uint64_t>(r);
    if (step >= steps_) return;
    const auto column =
        static_cast<std::size_t>(step * static_cast<std::uint64_t>(columns_) / steps_);
    float* row = &sum_[column * channels_];
    for (int c = 0; c < channels_; ++c) row[c] += std::log10(std::max(delta[c], smallest));
    ++count_[column];
  }
}

void HeatMap::save(const std::filesystem::path& path, Replace replace) const {
  if (columns_ == 0) return;
  std::vector<float> value(sum_);
  std::vector<double> mean(static_cast<std::size_t>(channels_));
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] /= static_cast<float>(std::max(1U, count_[i / channels_]));
    mean[i % channels_] += value[i];
  }
  std::vector<int> order(static_cast<std::size_t>(channels_));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return mean[a] < mean[b]; });
  // The darkest and brightest 0.5 % do not stretch the scale.
  std::vector<float> sorted(value);
  std::sort(sorted.begin(), sorted.end());
  const std::size_t cut = sorted.size() / 200;
  const double lo = sorted[cut];
  const double hi = std::max<double>(sorted[sorted.size() - 1 - cut], lo + 1e-3);

  const int zoom_x = std::max(1, 900 / columns_);
  const int zoom_y = std::max(1, 384 / channels_);
  const int w = columns_ * zoom_x;
  const int h = channels_ * zoom_y;
  constexpr int left = 24, top = 44, bottom = 44, right = 110;
  Picture picture(left + std::max(w, 560) + right, top + h + bottom, ground);
  picture.text(left, 14, 2,
               fmt::format("{}  delta, {} channels, smallest on top", layer_, channels_), ink);
  for (int x = 0; x < columns_; ++x) {
    for (int y = 0; y < channels_; ++y) {
      const float v = value[static_cast<std::size_t>(x) * channels_ + order[y]];
      picture.fill(left + x * zoom_x, top + y * zoom_y, zoom_x, zoom_y,
                   viridis((v - lo) / (hi - lo)));
    }
  }
  const double seconds = static_cast<double>(steps_) * step_s_;
  const double tick = round_step(seconds, 8);
  const auto first = static_cast<int>(std::ceil(from_s_ / tick));
  const auto last = static_cast<int>(std::floor((from_s_ + seconds) / tick));
  for (int i = first; i <= last; ++i) {
    const double t = i * tick;
    const int x = left + static_cast<int>(std::lround((t - from_s_) / seconds * w));
    picture.fill(x, top + h, 1, 6, ink);
    const std::string label = fmt::format("{:g} s", t);
    picture.text(x - Picture::text_width(label, 1) / 2, top + h + 10, 1, label, ink);
  }
  const int bar_x = left + std::max(w, 560) + 20;
  for (int y = 0; y < h; ++y) {
    picture.fill(bar_x, top + y, 14, 1, viridis(1 - static_cast<double>(y) / std::max(1, h - 1)));
  }
  for (int i = 0; i <= 4; ++i) {
    const double v = hi - (hi - lo) * i / 4;
    picture.text(bar_x + 20, top + i * (h - 8) / 4, 1, fmt::format("{:.2g}", std::pow(10, v)), ink);
  }
  picture.text(bar_x, top + h + 10, 1, "delta (log)", ink);
  picture.save(path, std::move(replace));
}

}  // namespace mambo
