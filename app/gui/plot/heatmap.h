// A picture over time that lives in a texture and grows by whole pixel columns: when time goes on,
// only the columns that came into view are computed and uploaded. GUI thread, OpenGL current.
#pragma once

#include <imgui.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "app/gui/history/timeline.h"

namespace mambo::gui {

class Heatmap {
 public:
  // Writes the texels of one column, top row first.
  using Fill = std::function<void(std::int64_t column, std::uint32_t* texels)>;

  Heatmap() = default;
  ~Heatmap();
  Heatmap(const Heatmap&) = delete;
  Heatmap& operator=(const Heatmap&) = delete;

  // Brings the texture up to date for `view`. key: everything that a texel depends on apart from
  // its column; when it changes, all is computed anew. Columns from `open_column` on may still
  // change and are computed at every call. Cost: the new columns.
  void update(const TimeView& view, int rows, std::uint64_t key, std::int64_t open_column,
              const Fill& fill);
  // Rows [row0, row1) of columns [first, last) of the view that was updated last, into a rectangle.
  void draw(ImDrawList& list, ImVec2 min, ImVec2 max, float row0, float row1) const;

 private:
  void ensure_texture(int columns, int rows);
  void compute(std::int64_t from, std::int64_t to, const Fill& fill);
  void upload(int x, int width, const std::uint32_t* texels);

  unsigned texture_ = 0;
  int width_ = 0, rows_ = 0;  // of the texture; width is a power of two, columns stand modulo it
  std::uint64_t key_ = 0;
  double samples_per_px_ = 0;
  std::int64_t have_from_ = 0, have_to_ = 0;  // columns that are there and final
  TimeView view_;
  std::vector<std::uint32_t> column_, strip_;
};

// Folds a value into a key.
inline std::uint64_t mix(std::uint64_t key, std::uint64_t value) {
  key ^= value + 0x9E3779B97F4A7C15ULL + (key << 6U) + (key >> 2U);
  return key * 0xFF51AFD7ED558CCDULL;
}

}  // namespace mambo::gui
