// Controls of layers: what targets name, and the same values at every sample, however the work is
// cut.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/control/target.h"
#include "app/control/track.h"
#include "app/live/live_controls.h"

namespace mambo {
namespace {

// down.0.0 down.0.1 down.1.0 (s4d) center.0 center.1 up.1.0 (s4d) up.0.0; tiers 0 0 1 2 2 1 0
LayerMap three_tiers(int center = 2) {
  NetworkView net;
  net.tiers.resize(3);
  const auto add = [&](std::string name, int tier, Side side, bool s4d) {
    LayerView l;
    l.name = std::move(name);
    l.tier = tier;
    l.side = side;
    if (s4d) l.params = S4dView{};
    net.layers.push_back(std::move(l));
  };
  add("down.0.0", 0, Side::down, false);
  add("down.0.1", 0, Side::down, false);
  add("down.1.0", 1, Side::down, true);
  for (int i = 0; i < center; ++i) add("center." + std::to_string(i), 2, Side::center, false);
  add("up.1.0", 1, Side::up, true);
  add("up.0.0", 0, Side::up, false);
  return LayerMap(net);
}

std::int16_t target(const std::string& text) { return *parse_target(text); }

ControlEvent event(std::uint64_t at, ControlId id, std::int16_t target, double value,
                   std::uint32_t ramp = 0) {
  ControlEvent e;
  e.at = at;
  e.id = id;
  e.target = target;
  e.value.real = value;
  e.ramp = ramp;
  return e;
}

// Of all layers, in the order of the layers.
std::vector<double> values(const Patch& patch, ControlId id) {
  std::vector<double> out;
  for (int l = 0; l < patch.layers().size(); ++l) out.push_back(patch.layer(id, l));
  return out;
}

TEST(Targets, EveryTextComesBackAsItWas) {
  for (int t = INT16_MIN; t <= INT16_MAX; ++t) {
    const auto target = static_cast<std::int16_t>(t);
    if (t < 0 && t != kAllTargets && tier_of_target(target) >= kMostTiers) continue;
    if (t >= 15 * 2048) continue;  // no layer has such a number
    const auto again = parse_target(target_text(target));
    ASSERT_TRUE(again.has_value()) << target_text(target);
    ASSERT_EQ(*again, target) << target_text(target);
  }
  EXPECT_EQ(target_text(kAllTargets), "all");
  EXPECT_EQ(target_text(tier_target(0)), "tier0");
  EXPECT_EQ(target_text(target("down.6.511")), "down.6.511");
  EXPECT_EQ(target_text(target("up.0.3")), "up.0.3");
}

TEST(Targets, OtherTextsAreNone) {
  for (const char* text : {"",
                           "ALL",
                           "all ",
                           " all",
                           "tier",
                           "tier8",
                           "tier-1",
                           "tier00",
                           "tier01",
                           "tier1 ",
                           "tier+1",
                           "0",
                           "-1",
                           "down",
                           "down.0",
                           "down.0.",
                           "down.0.1.",
                           "down.0.01",
                           "down.7.0",
                           "down.-1.0",
                           "down.0.2048",
                           "down.0.99999999999999999999",
                           "center",
                           "center.",
                           "center.x",
                           "center.1.2",
                           "up..1",
                           "side.0.1",
                           "up.0.1x",
                           "tier\xc3\xa9"}) {
    EXPECT_FALSE(parse_target(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_target(std::string_view("tier1\0", 6)).has_value());
}

TEST(Targets, ReachTheLayersThatTheyNameWhereTheControlDoesSomething) {
  const LayerMap map = three_tiers();
  const auto reached = [&](const char* text, ControlId id) {
    std::string out;
    for (int l = 0; l < map.size(); ++l) out += map.reaches(target(text), id, l) ? '1' : '0';
    return out;
  };
  EXPECT_EQ(reached("all", ControlId::read), "1111111");
  EXPECT_EQ(reached("all", ControlId::delta_scale), "1101101");
  EXPECT_EQ(reached("tier0", ControlId::hold_B), "1100001");
  EXPECT_EQ(reached("tier1", ControlId::forget), "0010010");
  EXPECT_EQ(reached("tier1", ControlId::hold_delta), "0000000");
  EXPECT_EQ(reached("tier2", ControlId::hold_delta), "0001100");
  EXPECT_EQ(reached("center.1", ControlId::hold_C), "0000100");
  EXPECT_EQ(reached("up.1.0", ControlId::read), "0000010");
  EXPECT_EQ(reached("down.0.2", ControlId::read), "0000000");
}

TEST(Targets, ThatReachNothingAreToldWhyInOneSentence) {
  const LayerMap map = three_tiers();
  EXPECT_EQ(map.why_not(kAllTargets, ControlId::hold_B), "");
  EXPECT_EQ(map.why_not(target("up.1.0"), ControlId::forget), "");
  EXPECT_EQ(map.why_not(target("center.2"), ControlId::hold_B),
            "hold_B.center.2: expected all or a target of this model (tier0 to tier2, down.0.0 to "
            "down.0.1, down.1.0, center.0 to center.1, up.1.0, up.0.0), found center.2");
  EXPECT_NE(map.why_not(target("tier3"), ControlId::read).find("found tier3"), std::string::npos);
  EXPECT_EQ(map.why_not(target("tier1"), ControlId::delta_scale),
            "delta_scale.tier1: expected a selective layer (s6), found none in tier1: a "
            "time-invariant layer (s4d) takes read and forget alone");
}

TEST(LayerControls, StandAtTheTablesDefaultsAndOthersLeaveThemAlone) {
  Patch patch;
  EXPECT_EQ(patch.layer_version(), 0U);
  patch.set_layers(three_tiers());
  for (std::size_t v = 0; v < kLayerValues; ++v) {
    const ControlId id = layer_value_id(v);
    EXPECT_EQ(values(patch, id), std::vector<double>(7, control_spec(id).normal.real));
  }
  const std::uint64_t version = patch.layer_version();
  patch.apply(event(3, ControlId::temperature, kAllTargets, 2, 100));
  patch.apply(event(4, ControlId::forget, kAllTargets, 0));
  patch.apply(event(4, ControlId::hold_B, target("down.5.0"), 1));  // there is none
  patch.advance(200);
  EXPECT_EQ(patch.layer_version(), version);
  patch.apply(event(200, ControlId::hold_B, target("tier0"), 99));
  EXPECT_EQ(values(patch, ControlId::hold_B), (std::vector<double>{1, 1, 0, 0, 0, 0, 1}));
  EXPECT_GT(patch.layer_version(), version);
}

std::vector<ControlEvent> some_events() {
  return {event(0, ControlId::delta_scale, kAllTargets, 0.5),
          event(100, ControlId::delta_scale, target("tier0"), 4, 1000),
          event(333, ControlId::hold_B, target("center.1"), 1, 77),
          event(400, ControlId::delta_scale, target("down.0.1"), 0),  // out of the tier's ramp
          event(401, ControlId::read, kAllTargets, 0, 31),
          event(700, ControlId::delta_scale, kAllTargets, 1, 640),  // others are still under way
          event(700, ControlId::temperature, kAllTargets, 2, 333),
          event(1500, ControlId::read, target("tier1"), 2, 3)};
}

// All values of all layers, and the temperature, at each of n samples, drawn in chunks of these
// sizes, over and over.
std::vector<std::vector<double>> along(const std::vector<ControlEvent>& events, std::uint64_t n,
                                       const std::vector<std::uint64_t>& chunks) {
  ControlTrack track(events.size());
  track.patch().set_layers(three_tiers());
  for (const ControlEvent& e : events) EXPECT_TRUE(track.add(e));
  std::vector<std::vector<double>> out;
  std::size_t turn = 0;
  while (out.size() < n) {
    std::uint64_t left = std::min(chunks[turn++ % chunks.size()], n - out.size());
    while (left > 0) {
      const std::uint64_t at = out.size();
      track.take_up(at);
      const std::uint64_t piece = std::min(left, track.next_boundary(at) - at);
      std::vector<double> now = {track.patch()[ControlId::temperature].real};
      for (std::size_t v = 0; v < kLayerValues; ++v) {
        const auto of_layers = values(track.patch(), layer_value_id(v));
        now.insert(now.end(), of_layers.begin(), of_layers.end());
      }
      out.insert(out.end(), piece, now);
      left -= piece;
    }
  }
  return out;
}

TEST(LayerControls, ValuesDoNotDependOnHowTheWorkIsCut) {
  const auto reference = along(some_events(), 2200, {1});
  for (const std::vector<std::uint64_t>& chunks :
       {std::vector<std::uint64_t>{128}, {2200}, {16}, {7, 130, 1, 33}, {31}, {2048}}) {
    EXPECT_EQ(along(some_events(), 2200, chunks), reference) << chunks.front();
  }
}

TEST(LayerControls, ARampOfATargetIsOnePerLayerFromWhereItStands) {
  const auto all = along(some_events(), 2200, {128});
  const auto scale = [&](std::size_t at, std::size_t layer) { return all[at][1 + layer]; };
  EXPECT_EQ(scale(127, 0), 0.5);
  EXPECT_DOUBLE_EQ(scale(128, 0), 0.5 + 0.028 * 3.5);  // 28 of 1000 samples after its start
  EXPECT_EQ(scale(128, 3), 0.5) << "center.0 is of another tier";
  EXPECT_EQ(scale(500, 1), 0) << "down.0.1 left the ramp of its tier";
  EXPECT_GT(scale(500, 0), 1.7);
  EXPECT_EQ(scale(300, 2), 1) << "a time-invariant layer has no delta to scale";
  // From 700 on each layer goes to 1 from where it stood.
  const double stood = scale(703, 0);
  EXPECT_DOUBLE_EQ(scale(704, 0), stood + (1 - stood) * 4 / 640);
  EXPECT_DOUBLE_EQ(scale(704, 1), 4.0 / 640);
  EXPECT_LT(scale(1343, 0), stood);
  for (std::size_t layer = 0; layer < 7; ++layer) EXPECT_EQ(scale(1344, layer), 1);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const bool at_an_event = i == 333 || i == 400 || i == 401 || i == 700 || i == 1500;
    EXPECT_TRUE(i % kRampGrid == 0 || at_an_event || all[i] == all[i - 1]) << i;
  }
}

TEST(LayerControls, SettledRampsHaveArrived) {
  Patch patch;
  patch.set_layers(three_tiers());
  patch.apply(event(0, ControlId::hold_C, target("tier2"), 1, 1000));
  patch.advance(512);
  EXPECT_EQ(patch.next_change(512), 544U);
  EXPECT_EQ(patch.layer_goal(ControlId::hold_C, 3), 1);
  EXPECT_NEAR(patch.layer(ControlId::hold_C, 3), 0.512, 1e-12);
  patch.settle();
  EXPECT_EQ(values(patch, ControlId::hold_C), (std::vector<double>{0, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(patch.next_change(512), kNever);
  patch.reset_layers();
  EXPECT_EQ(values(patch, ControlId::hold_C), std::vector<double>(7, 0));
}

TEST(LayerControls, AnotherNetworkTakesWhatWasSetForAllAndForItsTiers) {
  Patch patch;
  patch.apply(event(0, ControlId::read, kAllTargets, 0.5));  // before there is any
  patch.set_layers(three_tiers());
  EXPECT_EQ(values(patch, ControlId::read), std::vector<double>(7, 0.5));
  patch.apply(event(0, ControlId::hold_B, target("tier2"), 0.25, 1000));
  patch.apply(event(0, ControlId::hold_C, target("tier2"), 1));
  patch.apply(event(0, ControlId::hold_C, kAllTargets, 0.75));  // newer than the tier's
  patch.apply(event(0, ControlId::delta_scale, target("center.1"), 0));
  patch.set_layers(three_tiers());  // another clip: the same layers
  EXPECT_EQ(patch.layer(ControlId::delta_scale, 4), 0);
  patch.set_layers(three_tiers(3));
  EXPECT_EQ(values(patch, ControlId::read), std::vector<double>(8, 0.5));
  EXPECT_EQ(values(patch, ControlId::hold_B), (std::vector<double>{0, 0, 0, .25, .25, .25, 0, 0}));
  EXPECT_EQ(values(patch, ControlId::hold_C),
            (std::vector<double>{.75, .75, 0, .75, .75, .75, 0, .75}));
  EXPECT_EQ(values(patch, ControlId::delta_scale), std::vector<double>(8, 1));
}

// What a run's beginning says is enough to begin it anew.
TEST(LayerControls, AreSaidInFewWords) {
  Patch patch;
  patch.set_layers(three_tiers());
  const auto said = [&] {
    std::vector<LayerSetting> out;
    patch.say_layers([&](ControlId id, std::int16_t t, double value) {
      out.push_back({id, t, value});
    });
    return out;
  };
  EXPECT_TRUE(said().empty());
  for (const char* layer : {"down.0.0", "down.0.1", "up.0.0"}) {
    patch.apply(event(0, ControlId::hold_B, target(layer), 0.5));
  }
  patch.apply(event(0, ControlId::delta_scale, kAllTargets, 2));
  patch.apply(event(0, ControlId::read, kAllTargets, 0.5));
  patch.apply(event(0, ControlId::read, target("up.1.0"), 1));
  const std::vector<LayerSetting> all = said();
  EXPECT_EQ(all, (std::vector<LayerSetting>{{ControlId::delta_scale, kAllTargets, 2},
                                            {ControlId::hold_B, target("tier0"), 0.5},
                                            {ControlId::read, target("tier0"), 0.5},
                                            {ControlId::read, target("down.1.0"), 0.5},
                                            {ControlId::read, target("tier2"), 0.5}}));
  Patch again;
  again.set_layers(three_tiers());
  for (const LayerSetting& s : all) again.apply(event(0, s.id, s.target, s.value));
  for (std::size_t v = 0; v < kLayerValues; ++v) {
    EXPECT_EQ(values(again, layer_value_id(v)), values(patch, layer_value_id(v)));
  }
}

void take_up(LiveControls& controls, std::uint64_t position) {
  while (controls.due(position) != nullptr) controls.took_effect(position);
}

std::vector<ControlEvent> logged(LiveControls& controls) {
  std::vector<ControlEvent> out;
  for (const ControlEvent* e = controls.log().front(); e != nullptr; e = controls.log().front()) {
    if (control_spec(e->id).scope == Scope::layer) out.push_back(*e);
    controls.log().pop();
  }
  return out;
}

TEST(LayerControls, LiveOnesCanBeReadAsTheyMoveAndKeepTheirTargets) {
  LiveControls controls;
  EXPECT_EQ(controls.layers(), nullptr);
  EXPECT_TRUE(controls.send(event(0, ControlId::hold_B, target("tier2"), 7)));
  EXPECT_TRUE(controls.send(event(0, ControlId::hold_B, target("up.5.0"), 1)));
  controls.set_layers(three_tiers());
  controls.begin_program({}, 0);
  const auto shown = controls.layers();
  EXPECT_EQ(shown->present(ControlId::hold_B, 3), 1) << "clamped, and there from the first sample";
  EXPECT_EQ(shown->present(ControlId::hold_B, 0), 0);
  std::vector<ControlEvent> log = logged(controls);
  ASSERT_EQ(log.size(), 1U) << "what is at its default needs no word";
  EXPECT_EQ(log[0].target, target("tier2"));
  EXPECT_EQ(log[0].source, Source::start);

  EXPECT_TRUE(controls.send(event(0, ControlId::hold_B, target("center.0"), 0, 640)));
  EXPECT_TRUE(
      controls.send(event(0, ControlId::hold_C, target("tier1"), 1)));  // s4d: nothing there
  EXPECT_TRUE(controls.send(event(0, ControlId::forget, target("tier1"), 0.5)));
  take_up(controls, 100);
  EXPECT_EQ(shown->present(ControlId::hold_B, 3), 1);
  EXPECT_EQ(shown->goal(ControlId::hold_B, 3), 0);
  controls.at(420);
  EXPECT_DOUBLE_EQ(shown->present(ControlId::hold_B, 3), 1 - 316.0 / 640);
  log = logged(controls);
  ASSERT_EQ(log.size(), 2U) << "what reaches nothing is not told";
  EXPECT_EQ(log[0].ramp, 640U);
  EXPECT_EQ(log[1].id, ControlId::forget);

  controls.begin_run();
  EXPECT_EQ(shown->present(ControlId::hold_B, 3), 0);
  log = logged(controls);
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0].target, target("center.1"));
}

TEST(LayerControls, OfAProgramHoldWhereNothingWasAskedForSince) {
  LiveControls controls;
  DecidedControls own;
  own.values.layers = {{ControlId::hold_B, kAllTargets, 0.5}, {ControlId::read, tier_target(0), 2}};
  own.changes = controls.changes();
  EXPECT_TRUE(controls.send(event(0, ControlId::read, kAllTargets, 0.25)));
  EXPECT_TRUE(controls.send(event(0, ControlId::forget, kAllTargets, 0)));
  controls.set_layers(three_tiers());
  controls.begin_program(own, 0);
  EXPECT_EQ(controls.layers()->present(ControlId::hold_B, 0), 0.5);
  EXPECT_EQ(controls.layers()->present(ControlId::read, 0), 0.25);
  EXPECT_EQ(controls.due(0), nullptr);
}

}  // namespace
}  // namespace mambo
