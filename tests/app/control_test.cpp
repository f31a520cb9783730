#include "app/control/control.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace mambo {
namespace {

TEST(ControlTable, KeysAndLabelsAreUniqueAndFoundAgain) {
  std::set<std::string> keys, labels;
  for (const ControlSpec& spec : kControlTable) {
    EXPECT_TRUE(keys.insert(spec.key).second) << spec.key;
    EXPECT_TRUE(labels.insert(spec.label).second) << spec.label;
    EXPECT_EQ(find_control(spec.key), &control_spec(spec.id));
    for (const char c : std::string(spec.key)) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_') << spec.key;
    }
  }
  EXPECT_EQ(find_control("rng"), nullptr);
  EXPECT_EQ(find_control(""), nullptr);
}

TEST(ControlTable, EachEntryIsSane) {
  for (const ControlSpec& spec : kControlTable) {
    SCOPED_TRACE(spec.key);
    EXPECT_LT(spec.min, spec.max);
    EXPECT_TRUE(in_range(spec, spec.normal));
    EXPECT_EQ(std::string(spec.help).back(), '.');
    EXPECT_EQ(std::string(spec.help).find('\n'), std::string::npos);
    EXPECT_TRUE(in_range(spec, {spec.off.value_or(spec.min), 0}));
    if (spec.taper == Taper::knee) {
      EXPECT_GT(spec.knee, spec.min);
      EXPECT_LT(spec.knee, spec.max);
    }
    EXPECT_TRUE(spec.taper != Taper::logarithmic || spec.min > 0);
    EXPECT_EQ(std::string(spec.format).find('%'), std::string(spec.format).rfind('%'));
    if (*spec.unit != '\0' && spec.kind != ControlKind::whole64) {
      EXPECT_NE(std::string(spec.format).find(spec.unit), std::string::npos);
    }
  }
}

// What the network says is what the table says.
TEST(ControlTable, AgreesWithTheSampler) {
  EXPECT_EQ(resolve_sampling({}, {}, {}), SamplingParams{});
}

TEST(ControlTable, ValuesOutOfRangeAreToldAndBroughtBack) {
  const ControlSpec& t = control_spec(ControlId::temperature);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {-0.1, 10.01, nan, inf}) {
    EXPECT_FALSE(in_range(t, {bad, 0})) << bad;
    EXPECT_TRUE(in_range(t, clamped(t, {bad, 0}))) << bad;
  }
  EXPECT_EQ(clamped(t, {nan, 0}), t.normal);
  EXPECT_EQ(clamped(t, {inf, 0}).real, t.max);
  const ControlSpec& k = control_spec(ControlId::top_k);
  EXPECT_FALSE(in_range(k, {3.5, 0}));
  EXPECT_EQ(clamped(k, {3.6, 0}).real, 4);
  const ControlSpec& seed = control_spec(ControlId::rng_seed);
  EXPECT_EQ(clamped(seed, {0, UINT64_MAX}).whole, UINT64_MAX);
}

TEST(ControlTable, TravelGoesThereAndBack) {
  for (const ControlSpec& spec : kControlTable) {
    if (!spec.ramps()) continue;
    SCOPED_TRACE(spec.key);
    EXPECT_EQ(value_at(spec, 0), spec.min);
    EXPECT_EQ(value_at(spec, 1), spec.max);
    double last = -1;
    for (int i = 0; i <= 100; ++i) {
      const double value = spec.min + i * (spec.max - spec.min) / 100;
      const double travel = travel_of(spec, value);
      EXPECT_GT(travel, last);
      last = travel;
      const double slack = spec.kind == ControlKind::integer ? 0.51 : 1e-9 * spec.max;
      EXPECT_NEAR(value_at(spec, travel), value, slack);
    }
  }
  // The part that is played has most of the travel.
  EXPECT_DOUBLE_EQ(travel_of(control_spec(ControlId::temperature), 2), 0.8);
  EXPECT_GT(travel_of(control_spec(ControlId::latency), 500), 0.7);
}

TEST(ControlResolve, TheCommandLineThenTheLastSessionThenTheModelThenTheTable) {
  const ControlSpec& t = control_spec(ControlId::temperature);
  ControlChoice line, last, model;
  EXPECT_EQ(resolve(t, line, last, model), t.normal);
  model.say(ControlId::temperature, 0.9);
  EXPECT_EQ(resolve(t, line, last, model).real, 0.9);
  last.say(ControlId::temperature, 0.8);
  EXPECT_EQ(resolve(t, line, last, model).real, 0.8);
  line.say(ControlId::temperature, 0);  // 0 is a value like another
  EXPECT_EQ(resolve(t, line, last, model).real, 0);
}

TEST(ControlResolve, EachControlByItself) {
  ControlChoice line, last, model;
  model.say(SamplingParams{0.9F, 40, 0.95F});
  line.say(ControlId::top_k, 0);
  EXPECT_EQ(resolve_sampling(line, last, model), (SamplingParams{0.9F, 0, 0.95F}));
  last.say(SamplingParams{0.5F, 3, 1.0F});
  EXPECT_EQ(resolve_sampling(line, last, model), (SamplingParams{0.5F, 0, 1.0F}));
  line.say_whole(ControlId::rng_seed, UINT64_MAX);
  EXPECT_EQ(resolve(control_spec(ControlId::rng_seed), line, last, model).whole, UINT64_MAX);
}

}  // namespace
}  // namespace mambo
