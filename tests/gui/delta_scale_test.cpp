#include "app/gui/plot/delta_scale.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace mambo::gui {
namespace {

struct Light {
  double red, green, blue;
  explicit Light(std::uint32_t texel)
      : red(linear(texel)), green(linear(texel >> 8U)), blue(linear(texel >> 16U)) {}
  static double linear(std::uint32_t byte) {
    const double v = (byte & 0xFFU) / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  }
  double luminance() const { return 0.2126 * red + 0.7152 * green + 0.0722 * blue; }
};

TEST(DivergingPalette, IsNeutralAtZeroAndAsBrightOnBothSides) {
  const Palette& p = diverging_palette();
  for (const std::size_t middle : {127U, 128U}) {
    const Light l(p[middle]);
    EXPECT_NEAR(l.red, l.blue, 0.01);
    EXPECT_NEAR(l.red, l.green, 0.01);
  }
  double before = 0;
  for (std::size_t i = 128; i < 256; ++i) {
    const Light above(p[i]);
    const Light below(p[255 - i]);
    EXPECT_GE(above.luminance(), before - 2e-3) << i;
    EXPECT_NEAR(std::cbrt(above.luminance()), std::cbrt(below.luminance()), 0.06) << i;
    before = above.luminance();
  }
  EXPECT_GT(Light(p[255]).red, 2 * Light(p[255]).blue) << "orange";
  EXPECT_GT(Light(p[0]).blue, 1.5 * Light(p[0]).red) << "blue";
  EXPECT_GT(before, 5 * Light(p[128]).luminance());
}

TEST(DeltaScale, ChangeHasItsZeroInTheMiddleAndMarked) {
  const DeltaScale scale;
  const LogRange r = scale.range(DeltaColour::change);
  EXPECT_FLOAT_EQ(r.place(0), 0.5F);
  EXPECT_STREQ(DeltaScale::zero_words(DeltaColour::change), "mean");
  EXPECT_STREQ(DeltaScale::zero_words(DeltaColour::delta), "");
  EXPECT_EQ(&DeltaScale::colours(DeltaColour::change, 0), &diverging_palette());
  EXPECT_EQ(&DeltaScale::colours(DeltaColour::horizon, 1), &palette(ColourMap::cividis));
}

TEST(DeltaScale, AHorizonBeyondAllThatWasHeardEndsTheScale) {
  DeltaScale scale;
  scale.set_heard(12);
  scale.horizon.follow(-5, 11);  // up to 34 minutes
  scale.beyond = 11 > scale.longest;
  ASSERT_TRUE(scale.beyond);
  const LogRange r = scale.range(DeltaColour::horizon);
  EXPECT_LE(std::exp2(r.hi), 12.0F);
  EXPECT_GT(std::exp2(r.hi), 8.0F);
  EXPECT_EQ(std::string(scale.high_words(DeltaColour::horizon).c_str()), "\u2265 11 s");
  scale.set_heard(1e5);
  scale.beyond = 11 > scale.longest;
  EXPECT_FALSE(scale.beyond);
  EXPECT_EQ(std::string(scale.high_words(DeltaColour::horizon).c_str()).find("\u2265"),
            std::string::npos);
  // Longer than all that was heard, all of them.
  scale.set_heard(0.001);
  scale.beyond = true;
  EXPECT_LT(scale.range(DeltaColour::horizon).lo, scale.range(DeltaColour::horizon).hi);
}

TEST(DeltaScale, AHorizonIsReadOutNoFurtherThanWasHeard) {
  EXPECT_EQ(std::string(horizon_words(1, 14.2).c_str()), "2.00 s");
  EXPECT_EQ(std::string(horizon_words(11, 14.2).c_str()), "over 14.2 s, all that was heard");
  EXPECT_EQ(std::string(horizon_words(1, 0).c_str()), "2.00 s");
}

}  // namespace
}  // namespace mambo::gui
