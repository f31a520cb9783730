#include "app/control/sampling_choice.h"

#include <gtest/gtest.h>

namespace mambo {
namespace {

TEST(SamplingChoice, WhatIsSaidCountsOneByOneAndTheRestStays) {
  const SamplingParams own{0.9F, 40, 0.95F};
  EXPECT_EQ(SamplingChoice{}.with(own), own);
  SamplingChoice said;
  said.temperature = 0.0F;  // nothing is something, when it is said
  EXPECT_EQ(said.with(own), (SamplingParams{0.0F, 40, 0.95F}));
  said.top_k = 0;
  said.top_p = 1.0F;
  EXPECT_EQ(said.with(own), SamplingParams({0.0F, 0, 1.0F}));
}

}  // namespace
}  // namespace mambo
