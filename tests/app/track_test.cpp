// Events, ramps and inboxes: the same values at every sample, however the work is cut.
#include "app/control/track.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "app/control/inbox.h"

namespace mambo {
namespace {

ControlEvent event(std::uint64_t at, ControlId id, double value, std::uint32_t ramp = 0) {
  ControlEvent e;
  e.at = at;
  e.id = id;
  e.value.real = value;
  e.ramp = ramp;
  return e;
}

std::vector<ControlEvent> some_events() {
  return {event(0, ControlId::temperature, 0.8),
          event(100, ControlId::temperature, 2, 1000),
          event(333, ControlId::top_k, 17),
          event(400, ControlId::top_k, 256, 77),      // not a multiple of the grid
          event(401, ControlId::top_p, 0.5, 31),      // shorter than the grid
          event(700, ControlId::temperature, 0, 50),  // out of a ramp under way
          event(700, ControlId::level, -20, 500),
          event(1500, ControlId::temperature, 99, 3)};  // clamped
}

// The sampling at each of n samples, drawn in chunks of these sizes, over and over.
std::vector<SamplingParams> along(const std::vector<ControlEvent>& events, std::uint64_t n,
                                  const std::vector<std::uint64_t>& chunks) {
  ControlTrack track(events.size());
  for (const ControlEvent& e : events) EXPECT_TRUE(track.add(e));
  std::vector<SamplingParams> out;
  std::size_t turn = 0;
  while (out.size() < n) {
    std::uint64_t left = std::min(chunks[turn++ % chunks.size()], n - out.size());
    while (left > 0) {
      const std::uint64_t at = out.size();
      track.take_up(at);
      const std::uint64_t piece = std::min(left, track.next_boundary(at) - at);
      EXPECT_GT(piece, 0U);
      out.insert(out.end(), piece, track.patch().sampling());
      left -= piece;
    }
  }
  return out;
}

TEST(ControlTrack, ValuesDoNotDependOnHowTheWorkIsCut) {
  const auto reference = along(some_events(), 3000, {1});
  for (const std::vector<std::uint64_t>& chunks :
       {std::vector<std::uint64_t>{128}, {3000}, {16}, {7, 130, 1, 33}, {31}, {2048}}) {
    EXPECT_EQ(along(some_events(), 3000, chunks), reference) << chunks.front();
  }
}

TEST(ControlTrack, EventsTakeEffectAtTheirSample) {
  const auto p = along(some_events(), 3000, {128});
  EXPECT_FLOAT_EQ(p[0].temperature, 0.8F);
  EXPECT_EQ(p[332].top_k, 0);
  EXPECT_EQ(p[333].top_k, 17);
  EXPECT_EQ(p[2999].temperature, 10);
}

TEST(ControlTrack, RampsAreStraightAndMoveOnTheGridAlone) {
  const auto p = along({event(100, ControlId::temperature, 2, 1000)}, 2000, {50});
  for (std::size_t i = 1; i < p.size(); ++i) {
    EXPECT_TRUE(i % kRampGrid == 0 || p[i] == p[i - 1]) << i;
  }
  EXPECT_EQ(p[127].temperature, 1);
  EXPECT_FLOAT_EQ(p[128].temperature, 1.028F);  // 28 of 1000 samples after its start
  EXPECT_FLOAT_EQ(p[608].temperature, 1.508F);
  EXPECT_FLOAT_EQ(p[1119].temperature, 1.988F);
  EXPECT_EQ(p[1120].temperature, 2);  // the grid's first sample after its end
  EXPECT_EQ(along({event(5, ControlId::top_k, 3, 100)}, 200, {9})[64].top_k, 2);  // 0.59 * 3
}

TEST(ControlTrack, SettledRampsHaveArrived) {
  Patch patch;
  patch.apply(event(0, ControlId::temperature, 2, 1000));
  EXPECT_EQ(patch.next_change(0), kRampGrid);
  patch.advance(64);
  EXPECT_LT(patch.sampling().temperature, 2);
  patch.settle();
  EXPECT_EQ(patch.sampling().temperature, 2);
  EXPECT_EQ(patch.next_change(64), kNever);
}

TEST(ControlTrack, ANewValueEndsARampUnderWay) {
  Patch patch;
  patch.apply(event(0, ControlId::temperature, 2, 1000));
  patch.apply(event(40, ControlId::temperature, 0.5));
  EXPECT_EQ(patch.next_change(40), kNever);
  patch.advance(640);
  EXPECT_EQ(patch.sampling().temperature, 0.5F);
}

TEST(ControlTrack, WhatShapesTheOutputAloneDoesNotCutTheWork) {
  Patch patch;
  patch.apply(event(0, ControlId::level, -20, 500));
  patch.apply(event(0, ControlId::again, 1, 500));
  EXPECT_EQ(patch[ControlId::level].real, -20);
  EXPECT_EQ(patch.next_change(0), kNever);
}

TEST(ControlTrack, KeepsOrderAndRefusesWhatHasNoRoom) {
  ControlTrack track(4);
  const std::array<std::uint64_t, 4> at = {30, 10, 20, 10};
  for (std::size_t i = 0; i < at.size(); ++i) {
    EXPECT_TRUE(track.add(event(at[i], ControlId::top_k, static_cast<double>(i))));
  }
  EXPECT_FALSE(track.add(event(5, ControlId::top_k, 9)));
  EXPECT_EQ(track.next_boundary(0), 10U);
  EXPECT_EQ(track.due(9), nullptr);
  std::vector<double> order;
  for (const ControlEvent* e = track.due(100); e != nullptr; e = track.due(100)) {
    order.push_back(e->value.real);
    track.pop();
  }
  EXPECT_EQ(order, (std::vector<double>{1, 3, 2, 0}));
  EXPECT_TRUE(track.add(event(5, ControlId::top_k, 9))) << "room that was given back";
  EXPECT_EQ(track.next_boundary(40), 41U) << "what is late is due at the next sample";
}

TEST(Inbox, GroupsArriveWholeAndInOrder) {
  Inbox inbox;
  constexpr std::uint64_t groups = 100000;
  std::thread source([&] {
    for (std::uint64_t g = 0; g < groups; ++g) {
      std::array<ControlEvent, 3> group;
      for (std::size_t i = 0; i < group.size(); ++i) {
        group[i].at = g;
        group[i].value.whole = g * 3 + i;
      }
      while (!inbox.push(group)) std::this_thread::yield();
    }
  });
  std::uint64_t seen = 0;
  while (seen < 3 * groups) {
    const ControlEvent* first = inbox.front();
    if (first == nullptr) {
      std::this_thread::yield();
      continue;
    }
    for (int i = 0; i < 3; ++i) {  // once the first is there, so are all of its group
      const ControlEvent* e = inbox.front();
      ASSERT_NE(e, nullptr);
      ASSERT_EQ(inbox.front(), e) << "the same until it is taken";
      ASSERT_EQ(e->value.whole, seen);
      ASSERT_EQ(e->at, seen / 3);
      inbox.pop();
      ++seen;
    }
  }
  source.join();
  EXPECT_EQ(inbox.front(), nullptr);
}

TEST(Inbox, AFullOneTakesNothingOfAGroup) {
  Inbox inbox;
  const std::array<ControlEvent, 3> group{};
  std::size_t taken = 0;
  while (inbox.push(group)) taken += 3;
  EXPECT_EQ(taken, Inbox::kCapacity / 3 * 3);
  std::size_t read = 0;
  for (; inbox.front() != nullptr; inbox.pop()) ++read;
  EXPECT_EQ(read, taken);
  EXPECT_TRUE(inbox.push(group));
}

}  // namespace
}  // namespace mambo
