// Every instruction set that was compiled in and that this machine has follows the reference: the
// one that a laptop of ten years ago would choose as well.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <set>

#include "kernels/reference/reference.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

class Target : public ::testing::TestWithParam<Shape> {
 protected:
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(Target, FollowsTheReference) {
  const RandomNetwork network(GetParam());
  const auto codes = random_codes(150);
  Reference reference(network.view());
  for (const std::uint8_t c : codes) reference.step(c);
  const std::vector<float> want = reference.read_state();
  std::vector<std::uint8_t> first_draw;
  std::set<std::string> targets;
  // The kernels' own list: this file was compiled for one target only.
  for (const std::int64_t target :
       {HWY_AVX3, HWY_AVX2, HWY_NEON, HWY_SSE4, HWY_SCALAR, HWY_EMU128}) {
    if (target != HWY_SCALAR && target != HWY_EMU128 && (hwy::SupportedTargets() & target) == 0)
      continue;
    hwy::SetSupportedTargetsForTest(target);
    const auto engine = make_engine(network.view(), "cpu", {WeightStorage::f32, 2, {}});
    SCOPED_TRACE(engine->description());
    targets.insert(engine->description());  // a choice that had no effect would not count
    const auto stepped = engine->make_state();
    const auto filled = engine->make_state();
    engine->step(*stepped, codes);
    engine->prefill(*filled, codes);
    EXPECT_LT(distance(state_of(*engine, *stepped), want), 1e-4);
    EXPECT_LT(distance(state_of(*engine, *filled), want), 2e-4);

    std::vector<std::uint8_t> drawn(64);
    GenerateRequest q;
    q.sampling = {1.0F, 20, 0.9F};
    q.codes = drawn;
    engine->generate(*stepped, q);
    if (first_draw.empty()) first_draw = drawn;
    EXPECT_EQ(std::vector(drawn.begin(), drawn.begin() + 8),
              std::vector(first_draw.begin(), first_draw.begin() + 8));
    hwy::SetSupportedTargetsForTest(0);
  }
  EXPECT_GE(targets.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Target, ::testing::ValuesIn(cpu_shapes()),
                         [](const auto& p) { return p.param.name; });

}  // namespace
}  // namespace mambo::testing
