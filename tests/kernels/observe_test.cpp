// Summaries of delta, and which steps belong to which block.
#include <gtest/gtest.h>

#include "kernels/observe.h"

namespace mambo::testing {
namespace {

TEST(LayerSummary, MeansAreWeightedBySteps) {
  LayerSummary all;
  all.add({2.0F, 1.0F, 3.0F, 3});
  all.add({6.0F, 0.5F, 9.0F, 1});
  EXPECT_FLOAT_EQ(all.mean, 3.0F);
  EXPECT_EQ(all.min, 0.5F);
  EXPECT_EQ(all.max, 9.0F);
  EXPECT_EQ(all.steps, 4);
}

TEST(LayerSummary, WithoutStepsChangesNothing) {
  LayerSummary all;
  all.add({5.0F, -1.0F, 9.0F, 0});
  EXPECT_EQ(all.steps, 0);
  EXPECT_EQ(all.mean, 0.0F);
  all.add({2.0F, 1.0F, 3.0F, 2});  // the zeros of an empty one are no extremes
  all.add({5.0F, -1.0F, 9.0F, 0});
  EXPECT_EQ(all.mean, 2.0F);
  EXPECT_EQ(all.min, 1.0F);
  EXPECT_EQ(all.max, 3.0F);
  EXPECT_EQ(all.steps, 2);
}

TEST(SummaryBlocks, AStepBelongsToTheSampleThatCompletesIt) {
  const SummaryBlocks blocks{100, 16};
  EXPECT_EQ(blocks.block_of(5), 0U);  // samples 80 to 95
  EXPECT_EQ(blocks.block_of(6), 1U);  // samples 96 to 111
  for (std::uint64_t block = 0; block < 50; ++block) {
    for (std::uint64_t step = blocks.begin(block); step < blocks.begin(block + 1); ++step)
      EXPECT_EQ(blocks.block_of(step), block) << "step " << step;
  }
}

}  // namespace
}  // namespace mambo::testing
