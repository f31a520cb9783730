// A live run that goes astray is brought back, without what the generator thread must not do, and
// is drawn again from its performance.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "app/control/guard.h"
#include "app/live/generator_thread.h"
#include "app/live/performance_log.h"
#include "app/offline/replay.h"
#include "call_counter.h"
#include "tests/troubled_engine.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::CountHere;
using testing::TroubledEngine;
using Falls = std::vector<TroubledEngine::Fall>;

constexpr std::uint64_t kSecond = 16000;

class Source final : public ReplaySource {
 public:
  Source(std::shared_ptr<const Model> model, std::shared_ptr<const Engine> engine)
      : model_(std::move(model)), engine_(std::move(engine)) {}
  std::shared_ptr<const Model> model(const PlayedProgram& /*p*/) override { return model_; }
  std::vector<std::uint8_t> clip(const PlayedProgram& /*p*/, const Model& /*m*/) override {
    return {};
  }
  std::shared_ptr<const Engine> engine(const PlayedEngine& /*e*/, const Model& /*m*/) override {
    return engine_;
  }

 private:
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Engine> engine_;
};

std::vector<float> again(const Performance& p, ReplaySource& source) {
  RenderEvents quiet;
  std::vector<float> samples;
  replay(p, source, quiet,
         [&](std::span<const float> s) { samples.insert(samples.end(), s.begin(), s.end()); });
  return samples;
}

class LiveGuard : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model = Model::load(MAMBO_ASSETS "/models/piano-lab.safetensors");
  }
  static void TearDownTestSuite() { model.reset(); }

  struct Played {
    std::vector<float> samples;
    Performance performance;
    std::uint64_t brought_back = 0;
  };
  // Plays as fast as it can and records; act: between two blocks.
  template <class Act>
  static Played play(const std::shared_ptr<const Engine>& engine, double seconds, Act act) {
    GeneratorThread player(128, 7);
    OutputStage stage(player.ring());
    stage.prepare(16000, 16000, 1);
    stage.set_playing(true);
    PerformanceLog log(player.controls());
    player.exchange(make_program(model, engine, {}, -1, 128, [](float) { return true; }));
    log.program_changed(model, {}, played_engine(*engine, WeightStorage::half));
    player.set_stage(&stage);
    player.set_target(4096);
    log.begin_recording();
    player.begin_recording();
    player.unpark();
    Played played;
    std::vector<float> out(2048);
    std::vector<float> some(1U << 15U);
    const auto wanted = static_cast<std::size_t>(seconds * kSecond);
    const auto until = std::chrono::steady_clock::now() + 60s;
    const auto read = [&] {
      const std::size_t n = player.record_ring().read(some);
      played.samples.insert(played.samples.end(), some.begin(),
                            some.begin() + static_cast<std::ptrdiff_t>(n));
      log.collect();
    };
    while (played.samples.size() < wanted && std::chrono::steady_clock::now() < until) {
      stage.render(out.data(), out.size());
      read();
      act(player);
      std::this_thread::sleep_for(200us);
    }
    player.park();
    player.end_recording();
    read();
    EXPECT_EQ(player.lost_record_samples(), 0U);
    played.performance = log.performance();
    played.performance.recorded_samples = played.samples.size();
    played.performance.file = "take.wav";
    played.performance.file_sha256 = std::string(64, '0');
    played.brought_back = player.brought_back();
    return played;
  }
  static Played play(const std::shared_ptr<const Engine>& engine, double seconds) {
    return play(engine, seconds, [](GeneratorThread&) {});
  }
  static std::shared_ptr<const Engine> engine(Falls falls) {
    return std::make_shared<TroubledEngine>(model->network(), std::move(falls));
  }
  static std::vector<ControlEvent> returns(const Performance& p) {
    std::vector<ControlEvent> out;
    for (const ControlEvent& e : p.events) {
      if (e.id == ControlId::brought_back) out.push_back(e);
    }
    return out;
  }
  inline static std::shared_ptr<const Model> model;
};

TEST_F(LiveGuard, BringsBackAndThePerformanceRepeatsIt) {
  const auto troubled = engine({{12 * kSecond, Trouble::silence},
                                {50 * kSecond, Trouble::noise},
                                {90 * kSecond, Trouble::drone}});
  const Played played = play(troubled, 112);
  ASSERT_EQ(played.brought_back, 3U);
  const std::vector<ControlEvent> events = returns(played.performance);
  ASSERT_EQ(events.size(), 3U);
  const Trouble kinds[] = {Trouble::silence, Trouble::noise, Trouble::drone};
  const std::uint64_t falls[] = {12 * kSecond, 50 * kSecond, 90 * kSecond};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(static_cast<Trouble>(static_cast<int>(events[i].value.real)), kinds[i]);
    EXPECT_GT(events[i].at, falls[i]);
    EXPECT_LT(events[i].at, falls[i] + 12 * kSecond);
    EXPECT_LT(events[i].value.whole, falls[i] - kSecond) << "a moment before the trouble";
    EXPECT_GT(events[i].value.whole, 0U) << "and not the end of the clip";
  }
  TroubleMeter meter;
  meter.prepare(16000, {});
  meter.hear(std::span(played.samples).last(8 * kSecond));
  EXPECT_EQ(meter.trouble(), Trouble::none);

  // Through a file's text, and drawn again on an engine that does the same.
  const Performance p = parse_performance(performance_text(played.performance), "take");
  EXPECT_TRUE(p == played.performance);
  Source source(model, troubled);
  const std::vector<float> repeated = again(p, source);
  ASSERT_EQ(repeated.size(), played.samples.size());
  EXPECT_TRUE(repeated == played.samples);
  // The return is what makes it so.
  Performance without = p;
  std::erase_if(without.events, [](const auto& e) { return e.id == ControlId::brought_back; });
  EXPECT_FALSE(again(without, source) == played.samples);
}

TEST_F(LiveGuard, SwitchedOffItLeavesTheTroubleAlone) {
  const auto troubled = engine({{2 * kSecond, Trouble::silence}});
  const Played played = play(troubled, 30, [sent = false](GeneratorThread& player) mutable {
    if (!std::exchange(sent, true)) player.controls().send(ControlId::guard, 0);
  });
  EXPECT_EQ(played.brought_back, 0U);
  EXPECT_TRUE(returns(played.performance).empty());
  EXPECT_EQ(played.samples.back(), played.samples[20 * kSecond]);
}

// What panels show stays in place: time goes on though the state is an older one.
TEST_F(LiveGuard, ObservationsGoOnInTheRunsTime) {
  const auto troubled = engine({{3 * kSecond, Trouble::silence}});
  const int layer = favourite_layer(model->network());
  const auto stride = static_cast<std::uint64_t>(
      model->network().tier_of(model->network().layers[static_cast<std::size_t>(layer)]).stride);
  int seen_after = 0;
  const Played played = play(troubled, 25, [&](GeneratorThread& player) {
    player.set_tap_layer(layer);
    player.set_observing(true);
    const auto& queue = player.program()->observations.queue;
    for (const Observation* o = queue->front(); o != nullptr; o = queue->front()) {
      if (o->tap_steps > 0) {
        const std::uint64_t at = o->tap_first_step * stride;
        EXPECT_LE(at, o->first + stride);
        EXPECT_GE(at + 2 * stride, o->first);
        if (player.brought_back() > 0) ++seen_after;
      }
      queue->pop();
    }
  });
  EXPECT_EQ(played.brought_back, 1U);
  EXPECT_GT(seen_after, 100);
}

TEST_F(LiveGuard, AgainIsTheSameRunWithTheSameReturns) {
  const auto troubled = engine({{3 * kSecond, Trouble::silence}});
  const Played played = play(troubled, 40, [sent = false](GeneratorThread& player) mutable {
    if (player.generated() > 19 * kSecond && !std::exchange(sent, true)) {
      player.controls().send(ControlId::again, 1);
    }
  });
  const std::vector<ControlEvent> events = returns(played.performance);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].at, events[1].at);
  EXPECT_EQ(events[0].value, events[1].value);
  Source source(model, troubled);
  EXPECT_TRUE(again(played.performance, source) == played.samples);
}

TEST_F(LiveGuard, HearingKeepingAndGoingBackAllocateNothing) {
  MAMBO_NEEDS_CALL_COUNTER();
  const auto troubled = engine({{12 * kSecond, Trouble::noise}});
  Voice voice(*troubled);
  const Snapshot end = voice.snapshot();
  Guard guard;
  guard.prepare(*troubled, end.state(), 16000, {});
  std::vector<std::uint8_t> codes(256);
  std::vector<float> samples(256);
  std::vector<float> entropy(256);
  int returned = 0;
  CountHere count;
  for (std::uint64_t now = 0; now < 20 * kSecond;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(256, guard.to_boundary()));
    voice.generate(std::span(codes).first(n), {}, std::span(entropy).first(n));
    for (std::size_t i = 0; i < n; ++i) samples[i] = static_cast<float>(codes[i] - 128) / 128;
    now += n;
    const auto back =
        guard.heard(std::span(samples).first(n), std::span(entropy).first(n), voice.state(), now);
    if (!back) continue;
    troubled->copy(*back->state, voice.state());
    ++returned;
  }
  const testing::Calls calls = count.calls();
  EXPECT_EQ(calls.forbidden() + calls.sleeps, 0U) << calls.text();
  EXPECT_EQ(returned, 1);
}

}  // namespace
}  // namespace mambo
