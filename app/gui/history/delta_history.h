// Δ of one layer at full rate: every channel of every step, as far back as its memory budget
// reaches. Kept as 16-bit logarithms (2048 per octave: within 0.02 %), with the means over 16 and
// 256 steps, so that drawing costs the same at every zoom. GUI thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace mambo::gui {

// 1..65535 for 2^-24..2^8; 0 means unknown.
inline constexpr float octave_codes = 2048.0F;
inline constexpr float lowest_octave = -24.0F;
void encode_log2(const float* values, std::size_t n, std::uint16_t* codes);
inline float decode_log2(float code) { return code / octave_codes + lowest_octave; }

class DeltaHistory {
 public:
  explicit DeltaHistory(std::size_t budget_bytes) : budget_(budget_bytes) {}

  // Empties it for another layer; keeps at most max_steps. Frees memory; allocates nothing yet.
  void reset(int channels, std::uint64_t max_steps);
  // rows [steps][channels]; steps that were missed in between stay unknown. Allocates a block per
  // 1024 steps until the budget is reached, then reuses the oldest.
  void push(std::uint64_t first_step, int steps, const float* rows);
  // Appends what `later`, of the same layer, has from end() on: what was read aside goes before
  // what came meanwhile.
  void join(const DeltaHistory& later);
  void truncate(std::uint64_t step);  // forgets everything from there on

  int channels() const { return channels_; }
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t capacity() const { return max_blocks_ * block_steps; }  // steps kept when full
  bool holds(std::uint64_t step) const { return step >= begin_ && step < end_; }
  float log2_at(std::uint64_t step, int channel) const;  // NaN when unknown
  // Mean of log2 Δ over [from, to) for each channel: a sum and its weight. Long ranges are taken in
  // whole blocks of 16 or 256, so their ends are rounded by at most a sixteenth of their length.
  // Cost: at most 64 rows and one per 256 steps. Returns the weight; 0: nothing known.
  double mean(std::uint64_t from, std::uint64_t to, std::vector<float>& log2_mean) const;

 private:
  static constexpr std::uint64_t block_steps = 1024;
  struct Block {
    std::uint64_t first = 0;             // multiple of block_steps
    std::vector<std::uint16_t> rows;     // [1024][channels]
    std::vector<std::uint16_t> rows16;   // [64][channels]
    std::vector<std::uint16_t> rows256;  // [4][channels]
  };

  std::unique_ptr<Block> fresh_block();
  std::uint16_t* row(std::uint64_t step);
  void go_to(std::uint64_t step);  // the next row is of this step
  const std::uint16_t* level_row(std::size_t level, std::uint64_t step) const;
  void close_groups(std::uint64_t step);

  std::size_t budget_;
  int channels_ = 0;
  std::uint64_t max_blocks_ = 0;
  std::uint64_t begin_ = 0, end_ = 0;
  std::deque<std::unique_ptr<Block>> blocks_;  // contiguous
  std::unique_ptr<Block> spare_;
};

}  // namespace mambo::gui
