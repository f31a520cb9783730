// Events of moments as performances keep them.
#include "app/control/moment_event.h"

#include <gtest/gtest.h>

#include <cmath>

#include "app/control/performance.h"
#include "kernels/error.h"

namespace mambo {
namespace {

ControlEvent at(std::uint64_t sample, ControlEvent e) {
  e.at = sample;
  return e;
}

Performance sample() {
  Performance p;
  p.file = "take.wav";
  p.file_sha256 = std::string(64, 'f');
  p.recorded_samples = 10;
  PlayedProgram program;
  program.model_path = "/m";
  program.model_name = "m";
  program.model_sha256 = std::string(64, 'a');
  program.sample_rate = 16000;
  program.engine = {"cpu", "half", "CPU"};
  p.programs = {program};
  p.moments = {{"/calm.moment", std::string(64, 'c')}};
  ControlEvent begin;
  begin.id = ControlId::program;
  ControlEvent recording;
  recording.id = ControlId::recording;
  ControlEvent land;
  land.id = ControlId::land;
  Morph pad = Morph::on_pad({0, 1, 2, 7}, 0.3, 0.7, 5);
  pad.slots[2] = kNoSlot;
  pad.weights[2] = 0;
  p.events = {begin,
              content_event(7, 0, Source::start),
              recording,
              at(64, slot_event(ControlId::store, 0)),
              at(65, slot_event(ControlId::unstore, 3)),
              at(66, slot_event(ControlId::clear, 4)),
              at(100, slot_event(ControlId::recall, 7)),
              at(200, slot_event(ControlId::recall, kBefore)),
              at(300, morph_event(pad)),
              at(400, morph_event(Morph::between(0, 1, 1.0 / 3))),
              at(500, jump_event(123456789)),
              at(600, land),
              at(700, slot_event(ControlId::fork, kNoSlot)),
              at(701, slot_event(ControlId::fork, 2)),
              at(800, keep_event({UINT64_MAX, Kept::kMostSamples, true})),
              at(900, keep_event({1, 16000, false}))};
  return p;
}

TEST(MomentEvents, HoldWhatTheyWereMadeOf) {
  const Morph morph = Morph::on_pad({5, kNoSlot, 0, 7}, 0.123, 1, 0x8001);
  EXPECT_EQ(morph_of(morph_event(morph)), morph);
  EXPECT_EQ(morph.weights[1], 0U);
  const Morph whole = Morph::between(2, 6, 1);
  EXPECT_EQ(morph_of(morph_event(whole)), whole);
  EXPECT_EQ(whole.weights[0], 0U);
  const Morph off = Morph::between(2, 6, std::nan(""));
  EXPECT_EQ(off.weights[0], Morph::kWhole);
  const Kept kept{1ULL << 63U, 12345, true};
  EXPECT_EQ(kept_of(keep_event(kept)), kept);
  EXPECT_EQ(slot_of(slot_event(ControlId::fork, kNoSlot)), kNoSlot);
  EXPECT_EQ(slot_of(slot_event(ControlId::recall, kBefore)), kBefore);
}

TEST(MomentEvents, SurviveTheirText) {
  const Performance p = sample();
  const std::string text = performance_text(p);
  EXPECT_EQ(parse_performance(text, "p"), p);
  EXPECT_NE(text.find(R"({"at":64,"store":1})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"at":200,"recall":"before"})"), std::string::npos);
  EXPECT_NE(text.find(R"({"at":700,"fork":"now"})"), std::string::npos);
}

TEST(MomentEvents, WhatIsNoneIsRefusedByItsLine) {
  const std::string text = performance_text(sample());
  const std::size_t begin = text.find(R"({"at":64,"store":1})");
  ASSERT_NE(begin, std::string::npos);
  for (const char* bad :
       {R"({"at":64,"store":0})",
        R"({"at":64,"store":9})",
        R"({"at":64,"store":"before"})",
        R"({"at":64,"store":1,"recall":1})",
        R"({"at":64,"store":1,"source":"owner"})",
        R"({"at":64,"store":1.5})",
        R"({"at":64,"recall":"now"})",
        R"({"at":64,"recall":-1})",
        R"({"at":64,"fork":"before"})",
        R"({"at":64,"land":false})",
        R"({"at":64,"land":1})",
        R"({"at":64,"jump":-1})",
        R"({"at":64,"jump":18446744073709551615})",
        R"({"at":64,"morph":{}})",
        R"({"at":64,"morph":{"slots":[1,2],"weights":[1,0]}})",
        R"({"at":64,"morph":{"slots":[1,2,3,99],"weights":[1,0,0,0]}})",
        R"({"at":64,"morph":{"slots":[1,2,3,4],"weights":[2,0,0,0]}})",
        R"({"at":64,"morph":{"slots":[1,2,3,4],"weights":[0.3,0,0,0]}})",
        R"({"at":64,"morph":{"slots":[1,2,3,4],"weights":[1,0,0,0],"tiers":[16]}})",
        R"({"at":64,"morph":{"slots":[1,2,3,4],"weights":[1,0,0,0],"more":1}})",
        R"({"at":64,"keep":{"rng_seed":1,"samples":99999999999,"from":"begin"}})",
        R"({"at":64,"keep":{"rng_seed":1,"samples":1,"from":"middle"}})",
        R"({"at":64,"keep":{"rng_seed":-1,"samples":1,"from":"end"}})",
        R"({"at":64,"slot":{"number":9,"path":"/a","sha256":"a"}})",
        R"({"at":64,"slot":{"number":1,"path":"/a","sha256":"a"}})"}) {
    std::string other = text;
    other.replace(begin, text.find('\n', begin) - begin, bad);
    try {
      parse_performance(other, "p");
      ADD_FAILURE() << "accepted " << bad;
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).rfind("p: line 5", 0), 0U) << e.what();
    }
  }
}

}  // namespace
}  // namespace mambo
