// The ring under load: two threads at once, often enough to find a lost update.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "dsp/ring_buffer.h"

namespace mambo {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint32_t total = 2'000'000;  // sanitizers need few repetitions
#else
constexpr std::uint32_t total = 20'000'000;
#endif

// Single elements, whole rings and everything between; some is discarded unread. Every element
// arrives at its place, and a third thread never sees more taken out than was put in.
TEST(RingStress, EveryElementInItsPlaceWhateverTheBlocks) {
  RingBuffer<std::uint32_t> ring(1024);
  // Threads that fill and drain in turn stay aligned: start with the wrap-around in the middle of a
  // block.
  constexpr std::size_t offset = 333;
  ring.write(std::vector<std::uint32_t>(offset));
  ring.discard(offset);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    std::mt19937 rng(11);
    std::vector<std::uint32_t> block(ring.capacity() + 1);
    for (std::uint32_t next = 0; next < total;) {
      const std::size_t most = rng() % 4 == 0 ? block.size() : 1 + rng() % 300;
      const std::size_t n = std::min<std::size_t>(most, total - next);
      std::iota(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n), next);
      const std::size_t written = ring.write({block.data(), n});
      if (written == 0) std::this_thread::yield();
      next += static_cast<std::uint32_t>(written);
    }
  });
  std::uint64_t impossible = 0;
  std::thread onlooker([&] {
    while (!done.load()) {
      const std::uint64_t out = ring.consumed();  // read first: the other can then only be ahead
      impossible += ring.written() < out ? 1U : 0U;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  std::mt19937 rng(12);
  std::vector<std::uint32_t> block(ring.capacity() + 1);
  std::uint64_t wrong = 0, discarded = 0, seams = 0;
  for (std::uint32_t next = 0; next < total;) {
    if (rng() % 64 == 0) {
      const std::size_t n = ring.discard(1 + rng() % 50);
      next += static_cast<std::uint32_t>(n);
      discarded += n;
      continue;
    }
    const std::size_t most = rng() % 4 == 0 ? block.size() : 1 + rng() % 300;
    const std::size_t at = ring.consumed() % ring.capacity();
    const std::size_t n = ring.read({block.data(), most});
    seams += at + n > ring.capacity() ? 1U : 0U;
    if (n == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < n; ++i) wrong += block[i] != next++ ? 1U : 0U;
  }
  producer.join();
  done = true;
  onlooker.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(impossible, 0U);
  EXPECT_GT(discarded, 0U);
  EXPECT_GT(seams, total / ring.capacity() / 20);  // otherwise the wrap-around was not exercised
  EXPECT_EQ(ring.written(), total + offset);
  EXPECT_EQ(ring.consumed(), total + offset);
  EXPECT_EQ(ring.filled(), 0U);
}

}  // namespace
}  // namespace mambo
