#include "kernels/cpu/packed.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mambo::cpu {
namespace {

std::uint32_t bf16_nearest(float x) {
  const std::uint32_t b = std::bit_cast<std::uint32_t>(x);
  return (b + 0x7FFFU + ((b >> 16U) & 1U)) >> 16U;  // round to nearest, ties to even
}

// The upper half h for which the float with bits (h << 16 | low) is nearest to x.
std::uint32_t bf16_above(float x, std::uint32_t low) {
  const std::uint32_t b = std::bit_cast<std::uint32_t>(x);
  const std::int64_t magnitude = b & 0x7FFFFFFFU;
  const std::int64_t h =
      std::max<std::int64_t>(0, (magnitude - static_cast<std::int64_t>(low) + 0x8000) >> 16);
  return static_cast<std::uint32_t>(h) | ((b >> 16U) & 0x8000U);
}

// Visits (row, column step, index in the packed array); a column step is two columns in half
// storage.
template <class F>
void for_each_word(int rows, int column_steps, F f) {
  const int blocks = rows / kBlock;
  std::size_t at = 0;
  for (int first = 0; first < blocks; first += 4) {
    const int group = std::min(4, blocks - first);
    for (int k = 0; k < column_steps; ++k) {
      for (int b = 0; b < group; ++b) {
        for (int i = 0; i < kBlock; ++i) f((first + b) * kBlock + i, k, at++);
      }
    }
  }
}

}  // namespace

PackedMatrix pack(int rows, int cols, WeightStorage storage,
                  const std::function<float(int, int)>& at) {
  PackedMatrix m;
  m.rows = round_up(rows);
  m.storage = storage;
  if (storage == WeightStorage::f32) {
    m.cols = cols;
    m.full = AlignedBuffer<float>(static_cast<std::size_t>(m.rows) * m.cols);
    for_each_word(m.rows, m.cols,
                  [&](int r, int k, std::size_t i) { m.full[i] = r < rows ? at(r, k) : 0.0F; });
    return m;
  }
  m.cols = round_up(cols, 2);
  m.half = AlignedBuffer<std::uint32_t>(static_cast<std::size_t>(m.rows) * m.cols / 2);
  for_each_word(m.rows, m.cols / 2, [&](int r, int k, std::size_t i) {
    if (r >= rows) return;
    const std::uint32_t low = bf16_nearest(at(r, 2 * k));
    const std::uint32_t high = 2 * k + 1 < cols ? bf16_above(at(r, 2 * k + 1), low) : 0;
    m.half[i] = (high << 16U) | low;
  });
  return m;
}

std::vector<float> unpack(const PackedMatrix& m) {
  std::vector<float> out(static_cast<std::size_t>(m.rows) * m.cols);
  if (m.storage == WeightStorage::f32) {
    for_each_word(m.rows, m.cols, [&](int r, int k, std::size_t i) {
      out[static_cast<std::size_t>(r) * m.cols + k] = m.full[i];
    });
    return out;
  }
  for_each_word(m.rows, m.cols / 2, [&](int r, int k, std::size_t i) {
    float* row = out.data() + static_cast<std::size_t>(r) * m.cols;
    row[2 * k] = std::bit_cast<float>(m.half[i] << 16U);
    const float high = std::bit_cast<float>(m.half[i]);
    row[2 * k + 1] = std::fpclassify(high) == FP_SUBNORMAL ? 0.0F : high;  // kernels flush these
  });
  return out;
}

}  // namespace mambo::cpu
