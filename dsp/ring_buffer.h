// Wait-free queues between exactly one producer thread and one consumer thread.
//
// Indices grow monotonically and are masked on use, so that full and empty differ without a spare
// slot and the index of a sample is its position in the stream. Each side caches the other's index
// on a cache line of its own and reloads it only when the cached value is not enough (the idea of
// rigtorp/SPSCQueue): in steady state a call touches one shared line, rarely two. Cost: two atomic
// operations and a copy; never a lock, a loop or an allocation after construction.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace mambo {

// Not std::hardware_destructive_interference_size: its value is not fixed by the ABI.
inline constexpr std::size_t cache_line = 64;

// The two indices of a queue. Producer and consumer calls are marked; any thread may call the rest.
class SpscIndices {
 public:
  explicit SpscIndices(std::size_t capacity) : capacity_(capacity) {}

  std::size_t capacity() const { return capacity_; }
  std::uint64_t written() const { return write_.load(std::memory_order_acquire); }
  std::uint64_t consumed() const { return read_.load(std::memory_order_acquire); }

  // Producer: free places; reloads the consumer's index only when fewer than `enough` are known.
  std::size_t room(std::size_t enough) {
    const std::uint64_t w = write_.load(std::memory_order_relaxed);
    if (capacity_ - static_cast<std::size_t>(w - seen_read_) < enough) seen_read_ = consumed();
    return capacity_ - static_cast<std::size_t>(w - seen_read_);
  }
  void commit(std::size_t n) {
    write_.store(write_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

  // Consumer: filled places, with the same rule.
  std::size_t filled(std::size_t enough) {
    const std::uint64_t r = read_.load(std::memory_order_relaxed);
    if (static_cast<std::size_t>(seen_written_ - r) < enough) seen_written_ = written();
    return static_cast<std::size_t>(seen_written_ - r);
  }
  void release(std::size_t n) {
    read_.store(read_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

 private:
  const std::size_t capacity_;
  alignas(cache_line) std::atomic<std::uint64_t> write_{0};
  std::uint64_t seen_read_ = 0;  // the producer's
  alignas(cache_line) std::atomic<std::uint64_t> read_{0};
  std::uint64_t seen_written_ = 0;  // the consumer's
  [[maybe_unused]] char pad_[cache_line - 2 * sizeof(std::uint64_t)] = {};
};

// Samples, moved in blocks.
template <class T>
class RingBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // At least `capacity` elements; rounded up to a power of two.
  explicit RingBuffer(std::size_t capacity)
      : indices_(std::bit_ceil(std::max<std::size_t>(capacity, 1))),
        data_(std::make_unique<T[]>(indices_.capacity())) {}

  std::size_t capacity() const { return indices_.capacity(); }
  // Elements written and taken out (discarded ones too) since construction. Any thread; the
  // difference is the fill: a lower bound for the consumer, an upper bound for the producer.
  std::uint64_t written() const { return indices_.written(); }
  std::uint64_t consumed() const { return indices_.consumed(); }

  // Producer. Room for at least `enough`, if there is.
  std::size_t room(std::size_t enough = SIZE_MAX) { return indices_.room(enough); }
  // Writes as many as fit; returns their number.
  std::size_t write(std::span<const T> from) {
    const std::size_t n = std::min(from.size(), indices_.room(from.size()));
    const std::size_t at = mask(indices_.written());
    const std::size_t first = std::min(n, capacity() - at);
    std::copy_n(from.data(), first, data_.get() + at);
    std::copy_n(from.data() + first, n - first, data_.get());
    indices_.commit(n);
    return n;
  }

  // Consumer.
  std::size_t filled(std::size_t enough = SIZE_MAX) { return indices_.filled(enough); }
  // Reads as many as there are; returns their number.
  std::size_t read(std::span<T> to) {
    const std::size_t n = std::min(to.size(), indices_.filled(to.size()));
    const std::size_t at = mask(indices_.consumed());
    const std::size_t first = std::min(n, capacity() - at);
    std::copy_n(data_.get() + at, first, to.data());
    std::copy_n(data_.get(), n - first, to.data() + first);
    indices_.release(n);
    return n;
  }
  // Discards up to n; returns their number.
  std::size_t discard(std::size_t n) {
    n = std::min(n, indices_.filled(n));
    indices_.release(n);
    return n;
  }

 private:
  std::size_t mask(std::uint64_t i) const { return static_cast<std::size_t>(i) & (capacity() - 1); }
  SpscIndices indices_;
  std::unique_ptr<T[]> data_;
};

// Large elements, made once and filled in place: T may own memory, and no call allocates.
template <class T>
class SlotQueue {
 public:
  // `count` copies of `prototype`, rounded up to a power of two.
  SlotQueue(std::size_t count, const T& prototype)
      : slots_(std::bit_ceil(std::max<std::size_t>(count, 1)), prototype),
        indices_(slots_.size()) {}

  std::size_t capacity() const { return slots_.size(); }

  // Producer: the next free slot, or null; the same one until publish().
  T* begin_write() { return indices_.room(1) > 0 ? &at(indices_.written()) : nullptr; }
  void publish() { indices_.commit(1); }

  // Consumer: the oldest full slot, or null; the same one until pop().
  const T* front() { return indices_.filled(1) > 0 ? &at(indices_.consumed()) : nullptr; }
  void pop() {
    assert(indices_.filled(1) > 0);
    indices_.release(1);
  }

 private:
  T& at(std::uint64_t i) { return slots_[static_cast<std::size_t>(i) & (slots_.size() - 1)]; }
  std::vector<T> slots_;
  SpscIndices indices_;
};

}  // namespace mambo
