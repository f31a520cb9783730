#include "app/gui/history/delta_history.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace mambo::gui {
namespace {

// log2 with an error below 1e-6, simple enough for the compiler to vectorise: Δ arrives at millions
// of values per second. Exponent, and the atanh series around sqrt(2) for the mantissa.
float fast_log2(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto exponent = static_cast<float>(static_cast<std::int32_t>(bits >> 23U) - 127);
  const auto m = std::bit_cast<float>((bits & 0x7FFFFFU) | 0x3F800000U);
  const float s = (m - 1.41421356F) / (m + 1.41421356F);
  const float q = s * s;
  return exponent + 0.5F +
         2.88539008F * s * (1.0F + q * (0.33333333F + q * (0.2F + q * 0.14285714F)));
}

// The mean of a group of rows; unknown steps do not count.
void mean_rows(const std::uint16_t* rows, std::size_t n, std::size_t channels,
               std::uint16_t* mean) {
  for (std::size_t c = 0; c < channels; ++c) {
    std::uint32_t sum = 0;
    std::uint32_t known = 0;
    for (std::size_t r = 0; r < n; ++r) {
      const std::uint16_t code = rows[r * channels + c];
      sum += code;
      known += code != 0 ? 1U : 0U;
    }
    mean[c] = static_cast<std::uint16_t>(known == 0 ? 0 : (sum + known / 2) / known);
  }
}

}  // namespace

void encode_log2(const float* values, std::size_t n, std::uint16_t* codes) {
  constexpr float smallest = 5.9604645e-8F;  // 2^-24
  constexpr float largest = 255.9F;
  for (std::size_t i = 0; i < n; ++i) {
    const float x = std::min(std::max(values[i], smallest), largest);
    const float code = (fast_log2(x) - lowest_octave) * octave_codes + 0.5F;
    codes[i] = static_cast<std::uint16_t>(std::max(code, 1.0F));
  }
}

void DeltaHistory::reset(int channels, std::uint64_t max_steps) {
  channels_ = channels;
  const std::size_t row_bytes = static_cast<std::size_t>(channels) * sizeof(std::uint16_t);
  const std::size_t block_bytes = row_bytes * (block_steps + block_steps / 16 + block_steps / 256);
  const std::uint64_t affordable = block_bytes == 0 ? 0 : budget_ / block_bytes;
  const std::uint64_t wanted = (max_steps + block_steps - 1) / block_steps + 1;
  max_blocks_ = std::max<std::uint64_t>(std::min(affordable, wanted), 2);
  blocks_.clear();
  spare_.reset();
  begin_ = end_ = 0;
}

std::unique_ptr<DeltaHistory::Block> DeltaHistory::fresh_block() {
  std::unique_ptr<Block> block = std::move(spare_);
  if (!block) {
    const auto c = static_cast<std::size_t>(channels_);
    block = std::make_unique<Block>();
    block->rows.resize(block_steps * c);
    block->rows16.resize(block_steps / 16 * c);
    block->rows256.resize(block_steps / 256 * c);
  }
  return block;
}

std::uint16_t* DeltaHistory::row(std::uint64_t step) {
  if (blocks_.empty() || step >= blocks_.back()->first + block_steps) {
    if (blocks_.size() == max_blocks_) {
      spare_ = std::move(blocks_.front());
      blocks_.pop_front();
      begin_ = blocks_.empty() ? step : std::max(begin_, blocks_.front()->first);
    }
    blocks_.push_back(fresh_block());
    blocks_.back()->first = step / block_steps * block_steps;
  }
  Block& b = *blocks_.back();
  return &b.rows[(step - b.first) * static_cast<std::size_t>(channels_)];
}

void DeltaHistory::push(std::uint64_t first_step, int steps, const float* rows) {
  const auto c = static_cast<std::size_t>(channels_);
  if (c == 0 || steps <= 0) return;
  go_to(first_step);
  for (std::size_t r = 0; r < static_cast<std::size_t>(steps); ++r) {
    encode_log2(rows + r * c, c, row(end_));
    close_groups(end_++);
  }
}

void DeltaHistory::go_to(std::uint64_t step) {
  if (step < end_) truncate(step);
  if (blocks_.empty() || step > end_ + block_steps) {  // nothing to join it to
    blocks_.clear();
    begin_ = end_ = step;
  }
  while (end_ < step) {  // a short gap
    std::fill_n(row(end_), static_cast<std::size_t>(channels_), std::uint16_t{0});
    close_groups(end_++);
  }
}

void DeltaHistory::join(const DeltaHistory& later) {
  if (later.channels_ != channels_) return;
  const auto c = static_cast<std::size_t>(channels_);
  for (std::uint64_t step = std::max(end_, later.begin_); step < later.end_; ++step) {
    go_to(step);
    std::copy_n(later.level_row(0, step), c, row(step));
    close_groups(end_++);
  }
}

void DeltaHistory::close_groups(std::uint64_t step) {
  const auto c = static_cast<std::size_t>(channels_);
  if (step % 16 != 15) return;
  Block& b = *blocks_.back();
  const std::size_t local = step - b.first;
  mean_rows(&b.rows[(local - 15) * c], 16, c, &b.rows16[local / 16 * c]);
  if (step % 256 != 255) return;
  mean_rows(&b.rows16[(local - 255) / 16 * c], 16, c, &b.rows256[local / 256 * c]);
}

void DeltaHistory::truncate(std::uint64_t step) {
  if (step >= end_) return;
  if (step <= begin_) {
    blocks_.clear();
    begin_ = end_ = step;
    return;
  }
  while (!blocks_.empty() && blocks_.back()->first >= step) blocks_.pop_back();
  end_ = step;
}

const std::uint16_t* DeltaHistory::level_row(std::size_t level, std::uint64_t step) const {
  const Block& b = *blocks_[(step - blocks_.front()->first) / block_steps];
  const auto c = static_cast<std::size_t>(channels_);
  const std::uint64_t local = step - b.first;
  if (level == 2) return &b.rows256[local / 256 * c];
  if (level == 1) return &b.rows16[local / 16 * c];
  return &b.rows[local * c];
}

float DeltaHistory::log2_at(std::uint64_t step, int channel) const {
  if (!holds(step) || channel < 0 || channel >= channels_) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  const std::uint16_t code = level_row(0, step)[channel];
  return code == 0 ? std::numeric_limits<float>::quiet_NaN()
                   : decode_log2(static_cast<float>(code));
}

double DeltaHistory::mean(std::uint64_t from, std::uint64_t to,
                          std::vector<float>& log2_mean) const {
  const auto channels = static_cast<std::size_t>(channels_);
  log2_mean.assign(channels, 0.0F);
  std::uint64_t i = std::max(from, begin_);
  std::uint64_t stop = std::min(to, end_);
  if (i >= stop) return 0;
  const std::uint64_t length = stop - i;
  const std::uint64_t grain = length >= 4096 ? 256 : length >= 256 ? 16 : 1;
  const std::uint64_t rounded = (i + grain - 1) / grain * grain;
  if (rounded + grain <= stop) {
    i = rounded;
    stop = stop / grain * grain;
  }
  double weight = 0;
  while (i < stop) {
    std::size_t level = 0;
    std::uint64_t n = 1;
    if (i % 256 == 0 && i + 256 <= stop) {
      level = 2;
      n = 256;
    } else if (i % 16 == 0 && i + 16 <= stop) {
      level = 1;
      n = 16;
    }
    const std::uint16_t* row = level_row(level, i);
    if (row[0] != 0) {  // a step is known for all channels or for none
      const auto w = static_cast<float>(n);
      for (std::size_t c = 0; c < channels; ++c) log2_mean[c] += w * static_cast<float>(row[c]);
      weight += static_cast<double>(n);
    }
    i += n;
  }
  if (weight > 0) {
    const auto scale = static_cast<float>(1.0 / weight);
    for (float& v : log2_mean) v = decode_log2(v * scale);
  }
  return weight;
}

}  // namespace mambo::gui
