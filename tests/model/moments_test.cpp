// Moments: kept, mixed, gone back to and drawn aside.
#include "model/moments.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include "kernels/engine.h"
#include "kernels/random_network.h"

namespace mambo {
namespace {

constexpr int kRate = 1000;  // a grid of 500 samples, a fade of 10

std::array<float, 256> table() {
  std::array<float, 256> t{};
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = (static_cast<float>(i) - 128.0F) / 128.0F;
  return t;
}

// What the generator thread does: pieces that end where moments want them to.
class MomentsTest : public ::testing::Test {
 protected:
  struct Sound {
    std::vector<std::uint8_t> codes;
    std::vector<float> samples;
  };
  MomentsTest() {
    std::vector<std::uint8_t> clip(777);
    for (std::size_t i = 0; i < clip.size(); ++i) {
      clip[i] = static_cast<std::uint8_t>(128 + 60 * (i / 20 % 2) + i % 7);
    }
    voice.set_rng(5);
    voice.prefill(clip);
    moments.begin_run(0);
  }
  Sound play(std::size_t n, std::size_t piece = 128) {
    Sound s;
    for (const std::size_t end = position + n; position < end;) {
      const auto boundary = static_cast<std::size_t>(moments.next_boundary(position));
      std::vector<std::uint8_t> codes(std::min({end, boundary, position + piece}) - position);
      voice.generate(codes);
      std::vector<float> samples;
      for (const std::uint8_t c : codes) samples.push_back(table()[c]);
      moments.drew(codes, samples, position);
      position += codes.size();
      s.codes.insert(s.codes.end(), codes.begin(), codes.end());
      s.samples.insert(s.samples.end(), samples.begin(), samples.end());
    }
    return s;
  }
  void store(int slot) {
    play(static_cast<std::size_t>(moments.to_alignment()));
    ASSERT_TRUE(moments.store(slot, position));
  }
  std::vector<float> state() {
    std::vector<float> floats(engine->layout().size);
    engine->read_state(voice.state(), floats);
    return floats;
  }
  void jump(std::uint64_t to) {
    ASSERT_TRUE(moments.begin_jump(to, position));
    while (!moments.absorbed()) moments.absorb(33);
    ASSERT_TRUE(moments.land(position));
  }

  RandomNetwork net{NetworkShape{"", {4, 3}, {1, 1, 1}, 16, 2, 2, 4, 4, 0}};
  std::unique_ptr<Engine> engine = make_engine(net.view(), "cpu");
  Voice voice{*engine};
  Moments moments{voice, net.view(), {kRate, table(), true}};
  std::size_t position = 0;
};

TEST_F(MomentsTest, ARecallPlaysTheSameAgain) {
  play(100);
  store(2);
  const Sound first = play(900);
  voice.set_sampling({});
  ASSERT_TRUE(moments.recall(2, position));
  EXPECT_TRUE(moments.fading());
  EXPECT_FALSE(moments.recall(2, position)) << "while it fades over";
  const Sound second = play(900, 77);
  EXPECT_EQ(first.codes, second.codes);
  EXPECT_NE(first.samples, second.samples) << "no fade";
  EXPECT_TRUE(
      std::equal(first.samples.begin() + 10, first.samples.end(), second.samples.begin() + 10));
  EXPECT_FALSE(moments.recall(3, position)) << "it is empty";
  EXPECT_FALSE(moments.recall(-1, position));
  EXPECT_FALSE(moments.recall(99, position));
}

// The mean over the fade's weights of what leaves is what would have been drawn.
TEST_F(MomentsTest, AMoveFadesFromWhatWouldHaveComeNext) {
  play(50);
  store(0);
  play(333);
  Voice other(*engine);
  other.restore(voice.snapshot());
  std::vector<std::uint8_t> would(10);
  other.generate(would);
  ASSERT_TRUE(moments.recall(0, position));
  const Sound now = play(20, 3);
  for (std::size_t i = 0; i < 10; ++i) {
    const double w = 0.5 - 0.5 * std::cos(std::acos(-1.0) * (static_cast<double>(i) + 0.5) / 10);
    EXPECT_NEAR(now.samples[i], w * table()[now.codes[i]] + (1 - w) * table()[would[i]], 1e-6);
  }
  EXPECT_EQ(now.samples[10], table()[now.codes[10]]);
}

TEST_F(MomentsTest, StoresStandWhereAllGroupsBegin) {
  play(5);
  if (moments.aligned()) play(1);
  EXPECT_FALSE(moments.store(0, position));
  EXPECT_FALSE(moments.filled(0));
  store(0);
  EXPECT_EQ(voice.position() % 12, 0U);
  EXPECT_TRUE(moments.filled(0));
}

TEST_F(MomentsTest, AMorphEndsAtItsSlotsBitForBit) {
  store(0);
  play(400);
  store(1);
  play(50);
  for (const int slot : {0, 1}) {
    ASSERT_TRUE(moments.morph(Morph::between(0, 1, slot), position));
    const std::vector<float> morphed = state();
    const Sound a = play(200);
    ASSERT_TRUE(moments.recall(slot, position));
    EXPECT_EQ(state(), morphed);
    EXPECT_EQ(play(200).codes, a.codes);
  }
}

TEST_F(MomentsTest, BetweenSlotsTheStateIsTheirMean) {
  std::array<std::vector<float>, 4> at;
  std::array<std::uint64_t, 4> stood{};
  for (int slot = 0; slot < 4; ++slot) {
    store(slot);
    at[static_cast<std::size_t>(slot)] = state();
    stood[static_cast<std::size_t>(slot)] = voice.position();
    play(211);
  }
  ASSERT_TRUE(moments.morph(Morph::on_pad({0, 1, 2, 3}, 0.25, 0.5), position));
  const std::vector<float> mixed = state();
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    const double mean = 0.375 * at[0][i] + 0.125 * at[1][i] + 0.375 * at[2][i] + 0.125 * at[3][i];
    ASSERT_NEAR(mixed[i], mean, 1e-5 * (1 + std::fabs(mean))) << i;
  }
  EXPECT_EQ(voice.position(), stood[0]);
  EXPECT_EQ(voice.rng_seed(), 5U);
  const Sound sound = play(300);
  EXPECT_GT(std::set<std::uint8_t>(sound.codes.begin(), sound.codes.end()).size(), 10U);
  for (const float x : state()) ASSERT_TRUE(std::isfinite(x));
}

TEST_F(MomentsTest, AMorphOfOneTierLeavesTheOthers) {
  store(0);
  const std::vector<float> a = state();
  play(500);
  store(1);
  const std::vector<float> b = state();
  play(30);
  ASSERT_TRUE(moments.morph(Morph::between(0, 1, 1, 1U << 1U), position));
  const std::vector<float> mixed = state();
  for (const StateLayout::Layer& l : engine->layout().layers) {
    for (std::size_t i = l.conv; i < l.h + l.h_size(); ++i) {
      ASSERT_EQ(mixed[i], l.tier == 1 ? b[i] : a[i]) << l.tier;
    }
  }
  EXPECT_EQ(mixed.back(), a.back());
}

TEST_F(MomentsTest, AMorphOfWhatIsNotThereDoesNothing) {
  store(0);
  const std::vector<float> before = state();
  EXPECT_FALSE(moments.morph(Morph::between(0, 1, 0.5), position));
  EXPECT_FALSE(moments.morph(Morph{}, position));
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(moments.fading());
}

TEST_F(MomentsTest, StoresAndMovesAreUndone) {
  store(0);
  const std::vector<float> first = state();
  play(100);
  store(0);
  const std::vector<float> second = state();
  const std::uint64_t number = moments.number(0);
  ASSERT_TRUE(moments.unstore(0));
  EXPECT_NE(moments.number(0), number);
  play(2000);  // longer ago than moves of one hand
  const std::vector<float> there = state();
  ASSERT_TRUE(moments.recall(0, position));
  EXPECT_EQ(state(), first);
  play(10);
  ASSERT_TRUE(moments.unstore(0));
  ASSERT_TRUE(moments.recall(0, position));
  EXPECT_EQ(state(), second);
  play(10);
  ASSERT_TRUE(moments.recall(kBefore, position));
  EXPECT_EQ(state(), there) << "of two moves in a second the first";
  play(10);
  ASSERT_TRUE(moments.clear(0));
  EXPECT_FALSE(moments.recall(0, position));
  ASSERT_TRUE(moments.unstore(0));
  ASSERT_TRUE(moments.recall(0, position));
}

TEST_F(MomentsTest, AJumpPlaysThePastOnceMore) {
  const Sound all = play(3000);
  for (const std::uint64_t to : {0U, 1U, 499U, 500U, 501U, 1234U, 2999U, 3000U}) {
    jump(to);
    const Sound again = play(50);
    for (std::size_t i = 0; i < 50 && to + i < 3000; ++i) {
      ASSERT_EQ(again.codes[i], all.codes[static_cast<std::size_t>(to) + i]) << to << " + " << i;
    }
  }
}

TEST_F(MomentsTest, AJumpOverAMoveFindsWhatWasPlayed) {
  play(200);
  store(0);
  play(560);
  const std::size_t moved = position;
  ASSERT_TRUE(moments.recall(0, position));
  const Sound after = play(600);
  jump(moved + 40);
  const Sound again = play(100);
  EXPECT_TRUE(std::equal(again.codes.begin(), again.codes.end(), after.codes.begin() + 40));
}

// A morph under the hand: of the moves in half a second the last one is kept.
TEST_F(MomentsTest, ManyMovesLeaveTheMinute) {
  store(0);
  play(500);
  store(1);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(moments.morph(Morph::between(0, 1, i % 100 / 100.0), position));
    play(12);
  }
  EXPECT_LE(moments.reach(position), position - 12000);
  jump(position - 6001);
  for (const float x : state()) ASSERT_TRUE(std::isfinite(x));
}

TEST_F(MomentsTest, WhatIsOlderThanAMinuteIsGone) {
  play(63000, 4000);
  EXPECT_GT(moments.reach(position), 3000U);
  EXPECT_LE(moments.reach(position), 3500U);
  ASSERT_TRUE(moments.begin_jump(0, position));
  EXPECT_TRUE(moments.absorbed()) << "the oldest that there is";
  moments.begin_run(0);
  EXPECT_FALSE(moments.jumping());
}

TEST_F(MomentsTest, AContinuationIsHeardAsItWasDrawnAside) {
  play(100);
  ASSERT_TRUE(moments.fork(kNoSlot));
  auto mark = moments.read_fork();
  ASSERT_TRUE(mark);
  Voice other(*engine);
  other.restore(mark->begin);
  other.set_rng(99);
  std::vector<std::uint8_t> drawn(700);
  other.generate(drawn);
  play(333);
  ASSERT_TRUE(moments.keep(99, 700, false, position));
  EXPECT_EQ(play(700).codes, drawn);
  std::vector<std::uint8_t> further(100);
  other.generate(further);
  EXPECT_EQ(play(100).codes, further) << "and goes on";
  EXPECT_FALSE(moments.keep(99, 700, true, position)) << "its end is not there";
  moments.draw_end(99, 700);
  ASSERT_TRUE(moments.keep(99, 700, true, position));
  EXPECT_EQ(play(100).codes, further);
  store(4);
  ASSERT_TRUE(moments.fork(4));
  EXPECT_FALSE(moments.fork(5)) << "it is empty";
  moments.begin_run(0);
  EXPECT_FALSE(moments.keep(99, 700, false, 0)) << "of another run";
}

TEST_F(MomentsTest, SlotsGoOverToAnotherEngine) {
  play(100);
  store(3);
  const Sound sound = play(300);
  const auto moment = moments.read(3, moments.number(3));
  ASSERT_TRUE(moment);
  EXPECT_FALSE(moments.read(3, moments.number(3) + 1));
  EXPECT_FALSE(moments.read(2, 1));
  const auto again = make_engine(net.view(), "cpu");
  for (const bool by_file : {false, true}) {
    Voice next(*again);
    Moments there(next, net.view(), {kRate, table(), false});
    if (by_file) {
      there.take_over({nullptr, nullptr, nullptr, std::make_shared<const Moment>(*moment)});
    } else {
      there.take_over(moments);
    }
    ASSERT_TRUE(there.recall(3, 0));
    EXPECT_EQ(there.reach(77), 77U);
    EXPECT_FALSE(there.begin_jump(0, 77)) << "it keeps no past";
    std::vector<std::uint8_t> codes(300);
    next.generate(codes);
    EXPECT_EQ(codes, sound.codes);
  }
}

TEST_F(MomentsTest, APictureShowsTheLastSecond) {
  play(1700);
  store(0);
  const MomentPicture& p = moments.picture(0);
  for (std::size_t i = 0; i < MomentPicture::kColumns; ++i) {
    EXPECT_LE(p.low[i], p.high[i]);
    EXPECT_GE(p.low[i], -1.0F);
    EXPECT_LE(p.high[i], 1.0F);
  }
  EXPECT_GT(p.high[63] - p.low[63], 0.1F);
  EXPECT_GT(p.high[0] - p.low[0], 0.1F);
}

}  // namespace
}  // namespace mambo
