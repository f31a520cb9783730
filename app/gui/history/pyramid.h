// The latest values of a signal with its minima, maxima and means over blocks of 16, 256, 4096, ...
// so that any range is summarised in a bounded number of operations. GUI thread only.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/observe.h"

namespace mambo::gui {

// Summary of a range. NaN values (unknown) do not count.
struct Extent {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  double sum = 0;
  std::uint64_t count = 0;

  bool empty() const { return count == 0; }
  float mean() const { return static_cast<float>(sum / static_cast<double>(count)); }
  void add(float v) {
    if (std::isnan(v)) return;
    min = std::min(min, v);
    max = std::max(max, v);
    sum += static_cast<double>(v);
    ++count;
  }
  void add(const Extent& e) {
    min = std::min(min, e.min);
    max = std::max(max, e.max);
    sum += e.sum;
    count += e.count;
  }
};

inline void add_leaf(Extent& e, float v) { e.add(v); }
// A leaf that is a summary counts once, however many steps it is of; without steps it is unknown.
inline void add_leaf(Extent& e, const LayerSummary& s) {
  if (s.steps == 0) return;
  e.add(Extent{s.min, s.max, static_cast<double>(s.mean), 1});
}

template <class Leaf>
class Pyramid {
 public:
  // Keeps the last `capacity` leaves or a few more. Allocates all its memory here.
  explicit Pyramid(std::size_t capacity) {
    const std::size_t size = (capacity / top_block + 2) * top_block;
    leaves_.resize(size);
    for (std::size_t k = 0; k < depth; ++k) levels_[k].resize(size >> (4 * (k + 1)));
  }

  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  bool holds(std::uint64_t at) const { return at >= begin_ && at < end_; }
  const Leaf& at(std::uint64_t i) const { return leaves_[i % leaves_.size()]; }

  void reset(std::uint64_t first) { begin_ = end_ = first; }

  void push(const Leaf& leaf) {
    leaves_[end_ % leaves_.size()] = leaf;
    for (std::size_t k = 0; k < depth; ++k) {
      const std::size_t shift = 4 * (k + 1);
      Extent& node = node_at(k, end_ >> shift);
      const std::uint64_t block = std::uint64_t{1} << shift;
      if (end_ % block == 0 || end_ == begin_) node = Extent{};
      add_leaf(node, leaf);
    }
    ++end_;
    if (end_ - begin_ > leaves_.size()) begin_ = end_ - leaves_.size();
  }

  // Forgets everything from `at` on; what was before stays.
  void truncate(std::uint64_t at) {
    if (at >= end_) return;
    if (at <= begin_) return reset(at);
    end_ = at;
    for (std::size_t k = 0; k < depth; ++k) {  // the blocks that now end early
      const std::size_t shift = 4 * (k + 1);
      const std::uint64_t start = end_ >> shift << shift;
      if (start == end_) continue;
      Extent node;
      for (std::uint64_t i = std::max(start, begin_); i < end_; ++i) add_leaf(node, this->at(i));
      node_at(k, end_ >> shift) = node;
    }
  }

  // Of [from, to), clipped to what is kept. Cost: at most 30 steps per level and one per 4096
  // leaves.
  Extent over(std::uint64_t from, std::uint64_t to) const {
    Extent e;
    std::uint64_t i = std::max(from, begin_);
    const std::uint64_t stop = std::min(to, end_);
    while (i < stop) {
      std::size_t k = depth;  // the largest block that starts here and fits
      while (k > 0 &&
             (i % (std::uint64_t{1} << (4 * k)) != 0 || i + (std::uint64_t{1} << (4 * k)) > stop)) {
        --k;
      }
      if (k == 0) {
        add_leaf(e, at(i));
        ++i;
      } else {
        e.add(levels_[k - 1][(i >> (4 * k)) % levels_[k - 1].size()]);
        i += std::uint64_t{1} << (4 * k);
      }
    }
    return e;
  }

 private:
  static constexpr std::size_t depth = 3;
  static constexpr std::size_t top_block = 4096;

  Extent& node_at(std::size_t k, std::uint64_t i) { return levels_[k][i % levels_[k].size()]; }

  std::vector<Leaf> leaves_;
  std::array<std::vector<Extent>, depth> levels_;
  std::uint64_t begin_ = 0, end_ = 0;
};

}  // namespace mambo::gui
