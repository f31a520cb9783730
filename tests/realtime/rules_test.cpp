// The rules of real time: the audio callback and the generator's steady state allocate nothing,
// take no lock and never wait.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "app/control/listen_event.h"
#include "app/control/moment_event.h"
#include "app/live/generator_thread.h"
#include "app/live/listener.h"
#include "call_counter.h"
#include "dsp/output_stage.h"
#include "model/voice.h"
#include "tests/failing_engine.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::CountElsewhere;
using testing::CountHere;

// ---- The counter itself can fail ----

TEST(CallCounter, SeesMemory) {
  MAMBO_NEEDS_CALL_COUNTER();
  CountHere count;
  auto* p = new std::vector<int>(1000);
  const auto made = count.calls().allocations;
  p->push_back(1);
  const auto grown = count.calls().allocations;
  delete p;
  EXPECT_EQ(made, 2U);
  EXPECT_EQ(grown, 3U);
  EXPECT_EQ(count.calls().frees, 3U);
}

TEST(CallCounter, SeesAlignedMemory) {
  MAMBO_NEEDS_CALL_COUNTER();
  struct alignas(64) Line {
    char bytes[64];
  };
  CountHere count;
  auto p = std::make_unique<Line>();
  EXPECT_EQ(count.calls().allocations, 1U);
}

TEST(CallCounter, SeesLocksWaitsSleepsAndWrites) {
  MAMBO_NEEDS_CALL_COUNTER();
  std::mutex mutex;
  std::condition_variable condition;
  std::atomic<int> value{0};
  CountHere count;
  {
    std::unique_lock lock(mutex);
    EXPECT_EQ(count.calls().locks, 1U);
    condition.wait_for(lock, 1ms, [] { return false; });
  }
  EXPECT_GE(count.calls().waits, 1U);
  std::this_thread::sleep_for(1ms);
  EXPECT_EQ(count.calls().sleeps, 1U);
  std::thread([&] { value = 1, value.notify_all(); }).join();
  const auto before = count.calls().files;
  std::fflush(stdout);
  EXPECT_EQ(::write(-1, "x", 1), -1);
  EXPECT_EQ(count.calls().files, before + 1);
  EXPECT_GT(count.calls().forbidden(), 0U);
}

TEST(CallCounter, SeesOtherThreadsAndNotItsOwn) {
  MAMBO_NEEDS_CALL_COUNTER();
  std::atomic<bool> go{false};
  const volatile std::size_t use = 1000;
  std::thread other([&] {
    while (!go) std::this_thread::yield();
    std::vector<int>(use).resize(use + 1);
  });
  CountElsewhere count;
  std::vector<int>(use).resize(use + 1);
  EXPECT_EQ(count.calls().allocations, 0U);
  go = true;
  other.join();
  EXPECT_EQ(count.calls().allocations, 2U);
}

// ---- The audio callback ----

class Callback : public ::testing::TestWithParam<int> {};

TEST_P(Callback, NeverAllocatesLocksOrWaits) {
  MAMBO_NEEDS_CALL_COUNTER();
  RingBuffer<float> ring(1U << 14U);
  OutputStage stage(ring);
  stage.prepare(16000, GetParam(), 2);
  stage.set_refill(512);
  std::vector<float> out(2 * 4096);
  const std::vector<float> sound(4096, 0.9F);
  stage.audition().play(std::vector<float>(1U << 20U, 0.9F));
  CountHere audition;
  for (int call = 0; call < 200; ++call) stage.render(out.data(), 512);
  EXPECT_EQ(audition.calls().forbidden() + audition.calls().sleeps, 0U) << audition.calls().text();
  stage.audition().play({});
  CountHere count;
  for (int call = 0; call < 3000; ++call) {
    if (call % 500 == 0) stage.set_playing(call % 1000 == 0);         // and pauses
    if (call % 7 == 0) stage.set_gain(call % 14 == 0 ? 0.5F : 3.0F);  // and limits
    if (call % 90 == 0) stage.cut(ring.written());                    // Again
    if (call % 100 < 80) ring.write(sound);                           // and runs dry
    stage.render(out.data(), static_cast<std::size_t>(1 + call * 37 % 4096));
  }
  const testing::Calls calls = count.calls();
  EXPECT_EQ(calls.forbidden() + calls.sleeps, 0U) << calls.text();
  EXPECT_GT(stage.underruns(), 0U) << "the test did not get there";
}

INSTANTIATE_TEST_SUITE_P(DeviceRates, Callback, ::testing::Values(16000, 44100, 48000, 8000));

TEST(InputCallback, NeverAllocatesLocksOrWaits) {
  MAMBO_NEEDS_CALL_COUNTER();
  Ear ear;
  ear.prepare(48000, 2);
  const std::vector<float> in(2 * 4096, 0.5F);
  std::vector<float> out(4096);
  CountHere count;
  for (int call = 0; call < 300; ++call) {
    ear.take(call % 11 == 0 ? nullptr : in.data(), 1 + call * 37 % 4096);
    if (call < 100) ear.read(out);  // then it fills up
  }
  const testing::Calls calls = count.calls();
  EXPECT_EQ(calls.forbidden() + calls.sleeps, 0U) << calls.text();
  EXPECT_GT(ear.missing(), 0U) << "the test did not get there";
}

// ---- The generator ----

class Rules : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model = Model::load(MAMBO_ASSETS "/models/piano-lab.safetensors");
    // The CPU's, whatever else is present: these tests are of this project's code, not of a GPU
    // driver's.
    engine = make_engine(model->network(), "cpu");
  }
  static void TearDownTestSuite() {
    engine.reset();
    model.reset();
  }
  static std::vector<std::uint8_t> clip() {
    std::vector<std::uint8_t> codes(2000);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<std::uint8_t>(128 + 60 * ((i / 40) % 2) + i % 7);
    }
    return codes;
  }
  inline static std::shared_ptr<const Model> model;
  inline static std::shared_ptr<const Engine> engine;
};

// What a GPU allocates for a state that is played is allocated here, not in the generator thread.
TEST_F(Rules, AGeneratorPreparesItsState) {
  const testing::FailingEngine pretended(model->network(), {}, 1000);
  EXPECT_EQ(pretended.prepared, 0);
  Voice generator(pretended);
  EXPECT_EQ(pretended.prepared, 1);
}

TEST_F(Rules, GeneratingAllocatesNothing) {
  MAMBO_NEEDS_CALL_COUNTER();
  Voice generator(*engine);
  generator.prefill(clip());
  const Snapshot start = generator.snapshot();
  Snapshot kept = generator.snapshot();
  std::vector<std::uint8_t> codes(128);
  CountHere count;
  for (int i = 0; i < 16; ++i) {
    generator.set_sampling({i % 4 == 0 ? 0.0F : 1.1F, i % 3 * 20, i % 2 == 0 ? 1.0F : 0.9F});
    generator.generate(codes);
  }
  generator.save_into(kept);
  generator.restore(start);
  generator.set_rng(7);
  generator.reset();
  generator.generate(codes);  // from silence
  const testing::Calls calls = count.calls();
  EXPECT_EQ(calls.forbidden() + calls.sleeps, 0U) << calls.text();
}

TEST_F(Rules, ObservingAllocatesNothing) {
  MAMBO_NEEDS_CALL_COUNTER();
  Voice generator(*engine);
  generator.prefill(clip());
  const NetworkView& net = model->network();
  std::vector<std::uint8_t> codes(128);
  std::vector<float> log_prob(128), entropy(128), delta(130 * 1024);
  std::vector<LayerSummary> layers(net.layers.size());
  DeltaTap tap;
  tap.layers = layers;
  tap.delta = delta;
  CountHere count;
  for (std::size_t layer = 0; layer < net.layers.size(); ++layer) {
    tap.layer = static_cast<int>(layer);
    generator.generate(codes, log_prob, entropy, &tap);
  }
  const testing::Calls calls = count.calls();
  EXPECT_EQ(calls.forbidden() + calls.sleeps, 0U) << calls.text();
  EXPECT_LT(entropy.back(), 5.6F);
}

// Everything that moments can do; the generator thread keeps up while `play` is called.
template <class Play>
void play_with_moments(GeneratorThread& player, Play play) {
  LiveControls& controls = player.controls();
  const auto moves = [&] { return player.moments().now().moves; };
  const std::uint64_t before = moves();
  for (int slot = 0; slot < 4; ++slot) {
    controls.send_moment(slot_event(ControlId::store, slot));
    play(6);
  }
  controls.send_moment(slot_event(ControlId::store, 0));
  controls.send_moment(slot_event(ControlId::unstore, 0));
  for (int i = 0; i < 20; ++i) {
    controls.send_moment(slot_event(ControlId::recall, i % 9));  // the last one: back
    controls.send_moment(morph_event(Morph::on_pad({0, 1, 2, 3}, 0.05 * i, 0.5)));
    play(1);
  }
  controls.send_moment(morph_event(Morph::between(0, 1, 0.5, 1U)));
  controls.send_moment(slot_event(ControlId::clear, 3));
  play(10);
  controls.send_moment(jump_event(player.generated() / 2));
  controls.send_moment(slot_event(ControlId::fork, kNoSlot));
  play(20);
  // The jump was taken up before the fork. The generator hardly idles here.
  const auto landed = [&] {
    return player.moments().forks() == 1 && !player.moments().now().jumping;
  };
  for (int i = 0; i < 1000 && !landed(); ++i) play(5);
  controls.send_moment(keep_event({77, 100, false}));
  play(10);
  EXPECT_GE(moves(), before + 15) << "the test did not get there";
  EXPECT_FALSE(player.moments().now().jumping);
  EXPECT_EQ(player.moments().forks(), 1U);
}

// Listens a few times to what comes in; the last time nothing comes.
template <class Play>
void listen_and_answer(GeneratorThread& player, Play play) {
  LiveControls& controls = player.controls();
  std::vector<std::uint8_t> codes(300);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(100 + i % 60);
  for (int round = 0; round < 3; ++round) {
    controls.send_moment(listening_event(ControlId::listen));
    for (int i = 0; i < 2000 && !player.listening(); ++i) play(1);
    for (int i = 0; i < 10 && round < 2; ++i) {
      player.hearing().send(codes);
      play(1);
    }
    controls.send_moment(listening_event(ControlId::answer));
    for (int i = 0; i < 2000 && player.hearing().order() % 2 == 1; ++i) play(1);
    player.hearing().obey(player.hearing().order());
    for (int i = 0; i < 2000 && player.listening(); ++i) play(1);
    EXPECT_FALSE(player.listening());
    EXPECT_EQ(player.heard(), round < 2 ? 3000U : 0U);
  }
}

// The generator thread as the session runs it, with every control call that is allowed meanwhile.
TEST_F(Rules, TheGeneratorThreadOnlySleeps) {
  MAMBO_NEEDS_CALL_COUNTER();
  GeneratorThread player(128, 1);
  OutputStage stage(player.ring());
  stage.prepare(16000, 16000, 1);
  stage.set_playing(true);
  player.exchange(make_program(model, engine, clip(), 0, 128, [](float) { return true; }));
  player.set_stage(&stage);
  player.set_target(1024);
  player.unpark();
  std::vector<float> out(1000);  // as fast as it can
  const auto play = [&](int blocks) {
    for (int i = 0; i < blocks; ++i) {
      stage.render(out.data(), out.size());
      std::this_thread::sleep_for(5ms);
    }
  };
  play(20);
  player.set_observing(true);
  play(20);
  {
    CountElsewhere count;
    play(80);
    LiveControls& controls = player.controls();
    controls.send(SamplingParams{0.8F, 40, 0.95F});
    player.set_tap_layer(3);
    play(20);
    player.begin_recording();
    controls.send(ControlId::again, 1);
    play(20);
    // Events at samples to come, in the middle of chunks, and ramps.
    const std::uint64_t now = player.generated();
    for (std::uint32_t i = 0; i < 50; ++i) {
      ControlEvent e;
      e.at = now + 37 * i;
      e.id = i % 2 == 0 ? ControlId::temperature : ControlId::top_p;
      e.value.real = i % 4 < 2 ? 0.5 : 1;
      e.ramp = i % 3 == 0 ? 100 : 0;
      controls.send(e);
      controls.send_rng_seed(i);
      e.id = i % 8 == 7 ? ControlId::forget : layer_value_id(i % kLayerValues);
      e.target = i % 3 == 0 ? kAllTargets : i % 3 == 1 ? tier_target(0) : *parse_target("center.0");
      controls.send(e);
    }
    play(40);
    for (int i = 0; i < 5; ++i) {
      controls.send(ControlId::again, 1, Source::preset);
      play(4);
    }
    std::size_t logged = 0;
    for (; controls.log().front() != nullptr; controls.log().pop()) ++logged;
    EXPECT_GT(logged, 100U);
    EXPECT_EQ(controls.lost_events(), 0U);
    for (int i = 0; i < 20000; ++i) {  // more than the log has room for
      controls.send(ControlId::level, -1);
      if (i % 1000 == 0) play(2);
    }
    play_with_moments(player, play);
    listen_and_answer(player, play);
    player.set_observing(false);
    play(20);
    std::this_thread::sleep_for(200ms);  // no consumer: the ring fills, and the thread may sleep
    const testing::Calls calls = count.calls();
    EXPECT_EQ(calls.forbidden(), 0U) << calls.text();
    EXPECT_GT(calls.sleeps, 0U) << "not looking at the generator thread";
  }
  EXPECT_GT(player.generated(), 2000U);
  EXPECT_GT(player.dropped_observations(), 0U) << "the queue never filled";
  player.park();
}

}  // namespace
}  // namespace mambo
