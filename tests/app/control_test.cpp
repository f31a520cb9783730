#include "app/control/control.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/control/choice.h"
#include "kernels/error.h"

#include "app/control/sampling_controls.h"

namespace mambo {
namespace {

TEST(ControlTable, KeysAndLabelsAreUniqueAndFoundAgain) {
  std::set<std::string> keys, labels;
  for (const ControlSpec& spec : kControlTable) {
    EXPECT_TRUE(keys.insert(spec.key).second) << spec.key;
    EXPECT_TRUE(labels.insert(spec.label).second) << spec.label;
    EXPECT_EQ(find_control(spec.key), &control_spec(spec.id));
    for (const char c : std::string(spec.key)) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_' || c == 'B' || c == 'C') << spec.key;
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
    if (spec.taper == Taper::knee || spec.taper == Taper::logarithmic_from_zero) {
      EXPECT_GT(spec.knee, spec.min);
      EXPECT_LT(spec.knee, spec.max);
    }
    EXPECT_TRUE(spec.taper != Taper::logarithmic || spec.min > 0);
    EXPECT_TRUE(spec.taper != Taper::logarithmic_from_zero || spec.min == 0);
    EXPECT_EQ(layer_value(spec.id) < kLayerValues, spec.scope == Scope::layer && !spec.happens());
    EXPECT_TRUE(layer_value(spec.id) >= kLayerValues || spec.kind == ControlKind::real);
    EXPECT_EQ(std::string(spec.format).find('%'), std::string(spec.format).rfind('%'));
    if (*spec.unit != '\0' && spec.kind != ControlKind::whole64) {
      EXPECT_NE(std::string(spec.format).find(spec.unit), std::string::npos);
    }
  }
}

// What the network says is what the table says.
TEST(ControlTable, AgreesWithTheSampler) {
  EXPECT_EQ(resolve_sampling({}, {}, {}), SamplingParams{});
  // The ends survive the way through the sampler's floats.
  for (const ControlId id : kSamplingControls) {
    const ControlSpec& spec = control_spec(id);
    for (const double end : {spec.min, spec.max}) {
      ControlChoice line;
      line.say(id, end);
      EXPECT_TRUE(in_range(spec, {sampling_value(resolve_sampling(line, {}, {}), id), 0}))
          << spec.key << " " << end;
    }
  }
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

// A model's useful range has most of the travel, all of the table's range is still reached, and
// just outside the useful range is close beside it.
TEST(ControlTable, TravelIsMostlyInTheUsefulRange) {
  const ControlSpec& t = control_spec(ControlId::temperature);
  for (const UsefulRange& useful : {UsefulRange{0.7, 1.05}, UsefulRange{0, 1.5}, UsefulRange{2, 10},
                                    UsefulRange{0, 10}, UsefulRange{0.99, 1.01}}) {
    EXPECT_EQ(value_at(t, 0, useful), t.min);
    EXPECT_EQ(value_at(t, 1, useful), t.max);
    EXPECT_GE(travel_of(t, useful.to, useful) - travel_of(t, useful.from, useful), 0.8 - 1e-9);
    double last = -1;
    double value_before = -1;
    for (int i = 0; i <= 1000; ++i) {
      const double value = t.min + i * (t.max - t.min) / 1000;
      const double travel = travel_of(t, value, useful);
      EXPECT_GT(travel, last);
      EXPECT_NEAR(value_at(t, travel, useful), value, 1e-9);
      EXPECT_GT(value_at(t, i / 1000.0, useful), value_before);
      value_before = value_at(t, i / 1000.0, useful);
      last = travel;
    }
  }
  // 206 pixels: the first ones beyond the end are no jump into noise.
  const UsefulRange useful{0.7, 1.05};
  EXPECT_LT(value_at(t, 0.9 + 2.0 / 206, useful), 1.2);
  EXPECT_GT(value_at(t, 0.1 - 2.0 / 206, useful), 0.68);
}

TEST(ControlTable, ArrowKeysMoveEverySlider) {
  for (const ControlSpec& spec : kControlTable) {
    if (!spec.ramps()) continue;
    const double middle = value_at(spec, 0.5);
    EXPECT_GT(stepped(spec, middle, 1), middle) << spec.key;
    EXPECT_LT(stepped(spec, middle, -1), middle) << spec.key;
    EXPECT_EQ(stepped(spec, spec.max, 1), spec.max) << spec.key;
    EXPECT_EQ(stepped(spec, spec.min, -1), spec.min) << spec.key;
  }
  EXPECT_EQ(stepped(control_spec(ControlId::latency), 60, -2), 50);
  EXPECT_NEAR(stepped(control_spec(ControlId::floor), 1e-3, 1), 1.17e-3, 1e-5);
}

// Octaves are as long as each other, and 0 is below the last of them.
TEST(ControlTable, ALogarithmicRangeHasZeroBelowIt) {
  const ControlSpec& s = control_spec(ControlId::delta_scale);
  EXPECT_EQ(value_at(s, 0), 0);
  EXPECT_DOUBLE_EQ(value_at(s, 0.05), 1.0 / 16);
  EXPECT_NEAR(value_at(s, 0.525), 1, 1e-12);
  EXPECT_EQ(value_at(s, 1), 16);
  const double octave = travel_of(s, 2) - travel_of(s, 1);
  for (double x = 1.0 / 16; x < 16; x *= 2) {
    EXPECT_NEAR(travel_of(s, 2 * x) - travel_of(s, x), octave, 1e-12) << x;
  }
  EXPECT_NEAR(value_at(s, travel_of(s, 0.01)), 0.01, 1e-12);
}

TEST(ControlTable, WhatHappensWithAValueIsHeldToItsRange) {
  const ControlSpec& forget = control_spec(ControlId::forget);
  EXPECT_TRUE(forget.happens());
  EXPECT_FALSE(forget.ramps());
  EXPECT_TRUE(in_range(forget, {0.3, 0}));
  EXPECT_FALSE(in_range(forget, {1.1, 0}));
  EXPECT_EQ(clamped(forget, {-1, 0}).real, 0);
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

TEST(ControlResolve, OfLayersTheCommandLineComesAfterTheLastSession) {
  ControlChoice line, last;
  line.layers = {{ControlId::read, kAllTargets, 0.5}};
  last.layers = {{ControlId::read, tier_target(1), 2}};
  EXPECT_EQ(resolve_for_model(line, last, {}).layers,
            (std::vector<LayerSetting>{last.layers[0], line.layers[0]}));
}

TEST(ControlChoice, AssignmentsAreReadAsTheyAreWritten) {
  constexpr std::array all = {Scope::voice, Scope::output, Scope::session, Scope::layer};
  ControlChoice c;
  say_assignment(c, "temperature=0.9", all);
  say_assignment(c, "rng_seed=18446744073709551615", all);
  say_assignment(c, "hold_B=1", all);
  say_assignment(c, "hold_B.tier1=0.5", all);
  say_assignment(c, "delta_scale.center.2=1e-1", all);
  EXPECT_EQ(c[ControlId::temperature]->real, 0.9);
  EXPECT_EQ(c[ControlId::rng_seed]->whole, UINT64_MAX);
  EXPECT_EQ(c.layers,
            (std::vector<LayerSetting>{{ControlId::hold_B, kAllTargets, 1},
                                       {ControlId::hold_B, tier_target(1), 0.5},
                                       {ControlId::delta_scale, *parse_target("center.2"), 0.1}}));
  for (const LayerSetting& s : c.layers) {
    const NamedControl named = parse_control_name(layer_setting_name(s));
    EXPECT_EQ(named.spec->id, s.id);
    EXPECT_EQ(named.target, s.target);
  }
}

TEST(ControlChoice, AssignmentsThatAreNoneAreRefusedInOneSentence) {
  constexpr std::array drawn = {Scope::voice, Scope::layer};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hold_B", "expected CONTROL[.TARGET]=VALUE, found hold_B"},
      {"", "expected CONTROL[.TARGET]=VALUE, found "},
      {"hold=1", "expected a control of `mambo controls`, found hold"},
      {"=1", "expected a control of `mambo controls`, found "},
      {"hold_B=", "hold_B: expected 0 to 1, found "},
      {"hold_B=1.01", "hold_B: expected 0 to 1, found 1.01"},
      {"hold_B=nan", "hold_B: expected 0 to 1, found nan"},
      {"hold_B=0.5x", "hold_B: expected 0 to 1, found 0.5x"},
      {"delta_scale.tier0=17", "delta_scale: expected 0 to 16, found 17"},
      {"top_k=1.5", "top_k: expected 0 to 256 codes, found 1.5"},
      {"rng_seed=-1", "rng_seed: expected 0 to 2^64 - 1, found -1"},
      {"hold_B.tier8=1",
       "hold_B: expected all, tier0 to tier7, or a layer as in down.0.1, found tier8"},
      {"hold_B.=1", "hold_B: expected all, tier0 to tier7, or a layer as in down.0.1, found "},
      {"temperature.tier0=1",
       "temperature has no layers or tiers: expected it without a target, found temperature.tier0"},
      {"level=0",
       "expected one of temperature, top_k, top_p, min_p, floor, gate, rng_seed, delta_scale, "
       "hold_delta, hold_B, "
       "hold_C, read, found level"},
      {"forget=0", "hold_C, read, found forget"},
      {"again=0", "found again"}};
  for (const auto& [text, expected] : cases) {
    ControlChoice c;
    try {
      say_assignment(c, text, drawn);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(expected), std::string::npos) << e.what();
    }
    EXPECT_EQ(c, ControlChoice{});
  }
}

TEST(ControlChoice, InShortSaysTheSame) {
  const std::int16_t center = *parse_target("center.0");
  const std::vector<LayerSetting> said = {
      {ControlId::read, tier_target(1), 0.5}, {ControlId::hold_C, center, 0.25},
      {ControlId::hold_B, tier_target(0), 1}, {ControlId::hold_C, kAllTargets, 1},
      {ControlId::read, kAllTargets, 1},      {ControlId::hold_C, center, 0.5},
      {ControlId::hold_B, tier_target(0), 0}, {ControlId::hold_C, center, 0}};
  EXPECT_EQ(in_short(said), (std::vector<LayerSetting>{{ControlId::hold_B, tier_target(0), 0},
                                                       {ControlId::hold_C, kAllTargets, 1},
                                                       {ControlId::hold_C, center, 0}}));
  EXPECT_TRUE(in_short({{ControlId::hold_B, kAllTargets, 0}}).empty());
}

}  // namespace
}  // namespace mambo
