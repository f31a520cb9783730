#include "app/gui/plot/heatmap.h"

#include <GL/gl.h>

#include <algorithm>
#include <bit>

#ifndef GL_CLAMP_TO_EDGE
#define GL_CLAMP_TO_EDGE 0x812F
#endif

namespace mambo::gui {

Heatmap::~Heatmap() {
  if (texture_ != 0) glDeleteTextures(1, &texture_);
}

void Heatmap::ensure_texture(int columns, int rows) {
  const auto width = static_cast<int>(std::bit_ceil(static_cast<unsigned>(columns) + 1U));
  if (texture_ != 0 && width == width_ && rows == rows_) return;
  if (texture_ == 0) glGenTextures(1, &texture_);
  width_ = width;
  rows_ = rows;
  have_from_ = have_to_ = 0;
  glBindTexture(GL_TEXTURE_2D, texture_);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_REPEAT);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
  glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, width_, rows_, 0, GL_RGBA, GL_UNSIGNED_BYTE, nullptr);
}

void Heatmap::update(const TimeView& view, int rows, std::uint64_t key, std::int64_t open_column,
                     const Fill& fill) {
  ensure_texture(view.columns, std::max(rows, 1));
  if (key != key_ || view.samples_per_px != samples_per_px_) have_from_ = have_to_ = 0;
  key_ = key;
  samples_per_px_ = view.samples_per_px;
  view_ = view;

  const std::int64_t from = view.first_column;
  const std::int64_t to = from + view.columns;
  std::int64_t keep_from = std::max(from, have_from_);
  std::int64_t keep_to = std::min(to, have_to_);
  if (keep_from >= keep_to) keep_from = keep_to = from;
  compute(from, keep_from, fill);
  compute(keep_to, to, fill);
  have_from_ = from;
  have_to_ = std::clamp(open_column, from, to);
}

void Heatmap::compute(std::int64_t from, std::int64_t to, const Fill& fill) {
  if (from >= to) return;
  const auto rows = static_cast<std::size_t>(rows_);
  column_.resize(rows);
  while (from < to) {  // a strip that does not wrap around the texture's edge
    const auto x = static_cast<int>(((from % width_) + width_) % width_);
    const auto n = static_cast<std::size_t>(std::min<std::int64_t>(to - from, width_ - x));
    strip_.resize(n * rows);
    for (std::size_t i = 0; i < n; ++i) {
      fill(from + static_cast<std::int64_t>(i), column_.data());
      for (std::size_t r = 0; r < rows; ++r) strip_[r * n + i] = column_[r];
    }
    upload(x, static_cast<int>(n), strip_.data());
    from += static_cast<std::int64_t>(n);
  }
}

void Heatmap::upload(int x, int width, const std::uint32_t* texels) {
  glBindTexture(GL_TEXTURE_2D, texture_);
  glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
  glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
  glTexSubImage2D(GL_TEXTURE_2D, 0, x, 0, width, rows_, GL_RGBA, GL_UNSIGNED_BYTE, texels);
}

void Heatmap::draw(ImDrawList& list, ImVec2 min, ImVec2 max, float row0, float row1) const {
  if (texture_ == 0) return;
  const std::int64_t start = ((view_.first_column % width_) + width_) % width_;
  const float u0 = static_cast<float>(start) / static_cast<float>(width_);
  const float u1 = u0 + static_cast<float>(view_.columns) / static_cast<float>(width_);
  const auto rows = static_cast<float>(rows_);
  // Dear ImGui takes a texture's number for its void pointer.
  auto* const id = reinterpret_cast<ImTextureID>(static_cast<std::uintptr_t>(texture_));
  list.AddImage(id, min, max, ImVec2(u0, row0 / rows), ImVec2(u1, row1 / rows));
}

}  // namespace mambo::gui
