// The latest value, from one writing thread to one reading thread: a triple buffer. Wait-free on
// both sides, and free of torn values without a retry; the price is three copies of T. A value that
// is not read before the next one is lost: for meters and controls, not for streams.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dsp/ring_buffer.h"

namespace mambo {

template <class T>
class Latest {
 public:
  explicit Latest(const T& initial = {}) { slots_.fill({initial}); }

  // Writing thread.
  void write(const T& value) {
    slots_[back_].value = value;
    back_ = middle_.exchange(back_ | fresh, std::memory_order_acq_rel) & index;
  }

  // Reading thread: the newest value; the reference is valid until the next call.
  const T& read() {
    if ((middle_.load(std::memory_order_relaxed) & fresh) != 0) {
      front_ = middle_.exchange(front_, std::memory_order_acq_rel) & index;
    }
    return slots_[front_].value;
  }

 private:
  static constexpr std::uint8_t fresh = 4, index = 3;
  struct alignas(cache_line) Slot {
    T value;
  };
  std::array<Slot, 3> slots_;
  alignas(cache_line) std::uint8_t back_ = 0;
  alignas(cache_line) std::atomic<std::uint8_t> middle_{1};
  alignas(cache_line) std::uint8_t front_ = 2;
};

}  // namespace mambo
