#include "dsp/ring_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "dsp/latest.h"

namespace mambo {
namespace {

TEST(RingBuffer, GivesBackWhatWentInAcrossTheSeam) {
  RingBuffer<int> ring(5);
  EXPECT_EQ(ring.capacity(), 8U);
  std::vector<int> in(6), out(6);
  for (int round = 0; round < 20; ++round) {
    std::iota(in.begin(), in.end(), round * 6);
    ASSERT_EQ(ring.write(in), 6U);
    ASSERT_EQ(ring.read(out), 6U);
    ASSERT_EQ(in, out);
  }
  EXPECT_EQ(ring.written(), 120U);
  EXPECT_EQ(ring.consumed(), 120U);
}

TEST(RingBuffer, TakesNoMoreThanFitsAndGivesNoMoreThanThereIs) {
  RingBuffer<int> ring(8);
  std::vector<int> in = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(ring.room(), 8U);
  EXPECT_EQ(ring.write(in), 8U);
  EXPECT_EQ(ring.room(), 0U);
  EXPECT_EQ(ring.write(in), 0U);
  EXPECT_EQ(ring.discard(3), 3U);
  EXPECT_EQ(ring.write({in.data() + 8, 2}), 2U);
  std::vector<int> out(10);
  ASSERT_EQ(ring.read(out), 7U);
  out.resize(7);
  EXPECT_EQ(out, (std::vector<int>{4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(ring.discard(3), 0U);
}

// Two threads, blocks of random lengths: every element once and in order. What a wrong memory order
// would break shows here on a weakly ordered machine, and under ThreadSanitizer everywhere.
TEST(RingBuffer, TwoThreadsLoseNothing) {
  constexpr std::uint32_t total = 2'000'000;
  RingBuffer<std::uint32_t> ring(256);
  std::thread producer([&] {
    std::mt19937 rng(1);
    std::vector<std::uint32_t> stretch(100);
    for (std::uint32_t next = 0; next < total;) {
      const std::size_t n = std::min<std::size_t>(1 + rng() % stretch.size(), total - next);
      std::iota(stretch.begin(), stretch.begin() + static_cast<std::ptrdiff_t>(n), next);
      const std::size_t done = ring.write({stretch.data(), n});
      if (done == 0) std::this_thread::yield();
      next += static_cast<std::uint32_t>(done);
    }
  });
  std::mt19937 rng(2);
  std::vector<std::uint32_t> stretch(100);
  std::uint64_t wrong = 0;
  for (std::uint32_t next = 0; next < total;) {
    const std::size_t n = ring.read({stretch.data(), 1 + rng() % stretch.size()});
    if (n == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < n; ++i) wrong += stretch[i] != next++ ? 1U : 0U;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(ring.written(), total);
  EXPECT_EQ(ring.consumed(), total);
}

TEST(SlotQueue, TwoThreadsLoseNothingAndSlotsAreReused) {
  constexpr int total = 200'000;
  SlotQueue<std::vector<int>> queue(6, std::vector<int>(3));
  EXPECT_EQ(queue.capacity(), 8U);
  std::thread producer([&] {
    for (int i = 0; i < total;) {
      std::vector<int>* slot = queue.begin_write();
      if (slot == nullptr) {
        std::this_thread::yield();
        continue;
      }
      slot->assign({i, 2 * i, 3 * i});
      queue.publish();
      ++i;
    }
  });
  int wrong = 0;
  for (int i = 0; i < total;) {
    const std::vector<int>* slot = queue.front();
    if (slot == nullptr) {
      std::this_thread::yield();
      continue;
    }
    wrong += *slot != std::vector<int>{i, 2 * i, 3 * i} ? 1 : 0;
    queue.pop();
    ++i;
  }
  producer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(queue.front(), nullptr);
}

TEST(Latest, NeverTornAndNeverOlderThanBefore) {
  struct Pair {
    std::uint64_t a = 0, b = 0;
  };
  constexpr std::uint64_t total = 300'000;
  Latest<Pair> latest;
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= total; ++i) latest.write({i, ~i});
  });
  std::uint64_t seen = 0, wrong = 0;
  while (seen < total) {
    const Pair p = latest.read();
    if (p.a == 0) continue;
    wrong += p.b != ~p.a || p.a < seen ? 1U : 0U;
    seen = p.a;
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(latest.read().a, total);
}

}  // namespace
}  // namespace mambo
