#include "app/gui/history/pyramid.h"

#include <gtest/gtest.h>

#include <random>

namespace mambo::gui {
namespace {

Extent brute_force(const Pyramid<float>& p, std::uint64_t from, std::uint64_t to) {
  Extent e;
  for (std::uint64_t i = std::max(from, p.begin()); i < std::min(to, p.end()); ++i) e.add(p.at(i));
  return e;
}

void expect_same(const Extent& a, const Extent& b) {
  ASSERT_EQ(a.count, b.count);
  if (a.empty()) return;
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.max, b.max);
  EXPECT_NEAR(static_cast<double>(a.mean()), static_cast<double>(b.mean()), 1e-5);
}

class PyramidTest : public ::testing::Test {
 protected:
  void fill(std::uint64_t n) {
    std::normal_distribution<float> normal;
    for (std::uint64_t i = 0; i < n; ++i) {
      const bool unknown = rng_() % 97 == 0;
      pyramid_.push(unknown ? std::numeric_limits<float>::quiet_NaN() : normal(rng_));
    }
  }
  void compare(int times) {
    const std::uint64_t begin = pyramid_.begin() > 50 ? pyramid_.begin() - 50 : 0;
    std::uniform_int_distribution<std::uint64_t> any(begin, pyramid_.end() + 50);
    for (int i = 0; i < times; ++i) {
      std::uint64_t a = any(rng_);
      std::uint64_t b = any(rng_);
      if (a > b) std::swap(a, b);
      if (i % 3 == 0) b = std::min(b, a + 40);
      expect_same(pyramid_.over(a, b), brute_force(pyramid_, a, b));
    }
  }
  std::mt19937_64 rng_{7};
  Pyramid<float> pyramid_{20000};
};

TEST_F(PyramidTest, SumsUpAnyStretchExactly) {
  pyramid_.reset(12345);
  fill(15000);
  compare(300);
}

TEST_F(PyramidTest, StaysExactWhenTheOldestIsForgotten) {
  pyramid_.reset(0);
  fill(90000);
  EXPECT_GE(pyramid_.end() - pyramid_.begin(), 20000U);
  EXPECT_LT(pyramid_.end() - pyramid_.begin(), 30000U);
  compare(300);
}

TEST_F(PyramidTest, StaysExactAfterBeingCutShortAnywhere) {
  pyramid_.reset(100);
  fill(60000);
  for (const std::uint64_t back : {1U, 15U, 16U, 17U, 255U, 257U, 4097U}) {
    const std::uint64_t at = pyramid_.end() - back;
    pyramid_.truncate(at);
    ASSERT_EQ(pyramid_.end(), at);
    compare(40);
    fill(333);
    compare(40);
  }
}

TEST_F(PyramidTest, ForgetsEverythingWhenCutBeforeItsBeginning) {
  pyramid_.reset(5000);
  fill(100);
  pyramid_.truncate(4000);
  EXPECT_EQ(pyramid_.begin(), 4000U);
  EXPECT_EQ(pyramid_.end(), 4000U);
  EXPECT_TRUE(pyramid_.over(0, 10000).empty());
}

}  // namespace
}  // namespace mambo::gui
