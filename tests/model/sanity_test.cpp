#include "model/sanity.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace mambo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Sanity, LogitsOfANetworkCanBeDrawnFrom) {
  EXPECT_TRUE(can_be_drawn_from(std::vector<float>(256, 0.0F)));
  EXPECT_TRUE(can_be_drawn_from(std::vector<float>{-80, 3, 40}));
  EXPECT_TRUE(can_be_drawn_from(std::vector<float>{-kInfinity, -1e30F, 2})) << "never to be drawn";
}

TEST(Sanity, NumbersBeyondSenseCannotAndAreNamed) {
  for (const std::vector<float>& logits :
       {std::vector<float>{1, kNan}, {kNan, 1}, {-kInfinity, kNan, 5}}) {
    EXPECT_FALSE(can_be_drawn_from(logits));
    EXPECT_NE(why_not_drawn_from(logits).find("NaN"), std::string::npos);
  }
  for (const float top : {kInfinity, 3e38F, 2e4F}) {
    EXPECT_FALSE(can_be_drawn_from(std::vector<float>{0, top}));
    EXPECT_NE(why_not_drawn_from(std::vector<float>{0, top}).find("found"), std::string::npos);
  }
  EXPECT_FALSE(can_be_drawn_from(std::vector<float>(4, -kInfinity)));
  EXPECT_FALSE(can_be_drawn_from(std::vector<float>(4, -1e5F)));
}

TEST(Sanity, HalfASecondAtAnEndOfTheScaleIsStuck) {
  StuckMeter meter;
  meter.prepare(16000);
  const std::vector<float> low(1000, -1.0F);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(meter.hear(low)) << i;
  EXPECT_TRUE(meter.hear(low));
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(meter.hear(low)) << "counts anew, " << i;
  meter.reset();
  std::vector<float> square(1000);  // as loud, and sound
  for (std::size_t i = 0; i < square.size(); ++i) square[i] = i / 50 % 2 == 0 ? 1.0F : -1.0F;
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(meter.hear(square));
}

}  // namespace
}  // namespace mambo
