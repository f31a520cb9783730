// The way of what comes in, from the listener's thread to the generator thread: codes, and the
// orders when to begin and to end. Wait-free on both sides, no allocation after construction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dsp/ring_buffer.h"

namespace mambo {

class Hearing {
 public:
  // ---- The generator thread, or the worker while that is parked ----
  void begin() {
    codes_.discard(codes_.filled());
    if (order_ % 2 == 0) order_.fetch_add(1, std::memory_order_release);
  }
  // Nothing is sent any more, once what came in until now was.
  void end() {
    if (order_ % 2 == 1) order_.fetch_add(1, std::memory_order_release);
  }
  // To be asked before read(): then what that does not bring will not come.
  bool ended() const { return obeyed_.load(std::memory_order_acquire) == order_; }
  std::size_t read(std::span<std::uint8_t> to) { return codes_.read(to); }

  // ---- The listener's thread ----
  unsigned order() const { return order_.load(std::memory_order_acquire); }  // odd: send
  void obey(unsigned order) { obeyed_.store(order, std::memory_order_release); }
  std::size_t send(std::span<const std::uint8_t> codes) { return codes_.write(codes); }

 private:
  static constexpr std::size_t kRoom = 1U << 16U;  // 4 s at 16 kHz: an engine that is replaced
  RingBuffer<std::uint8_t> codes_{kRoom};
  std::atomic<unsigned> order_{0}, obeyed_{0};
};

}  // namespace mambo
