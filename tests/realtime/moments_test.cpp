// Moments as a session plays them, on the silent clock, and drawn again from the performance.
#include "app/live/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <random>

#include "app/control/performance.h"
#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/offline/replay.h"
#include "listen.h"
#include "model/moment_file.h"
#include "sound_server.h"
#include "tests/failing_engine.h"
#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::bring_up;
using testing::FailingEngine;
using testing::within;

class Source final : public ReplaySource {
 public:
  std::shared_ptr<const Model> model(const PlayedProgram& p) override {
    return Model::load(p.model_path);
  }
  std::vector<std::uint8_t> clip(const PlayedProgram& p, const Model& model) override {
    if (p.clip_path.empty()) return {};
    return encode(load_clip(p.clip_path, p.sample_rate).samples, model.config().encoding);
  }
  std::shared_ptr<const Engine> engine(const PlayedEngine& /*played*/,
                                       const Model& model) override {
    return make_engine(model.network(), "cpu");
  }
};

class MomentSession : public ::testing::Test {
 protected:
  void start(SessionOptions options = {}) {
    if (!options.engines) options.backend = "cpu";
    session = std::make_unique<Session>(options);
    ASSERT_TRUE(bring_up(*session, clip));
    session->play();
  }
  bool pass(std::uint64_t samples) {
    const std::uint64_t to = session->status().generated + samples;
    return within(60, [&] { return session->status().generated >= to; });
  }
  // Until so many moves more took effect.
  bool moved(std::uint64_t by = 1) {
    moves += by;
    return within(20, [&] { return session->moments().moves >= moves; });
  }
  bool filled(int slot) {
    return within(20,
                  [&] { return session->moments().slots[static_cast<std::size_t>(slot)].filled; });
  }
  bool says(const std::string& part) {
    return within(20, [&] { return session->status().message.find(part) != std::string::npos; });
  }
  void record() {
    session->start_recording(take);
    ASSERT_TRUE(within(10, [&] { return session->status().recording; }));
  }
  // Stops, draws the take again, and compares.
  Performance expect_repeats() {
    session->stop_recording();
    EXPECT_TRUE(says("Its performance is take.performance.jsonl.")) << session->status().message;
    const Performance p = read_performance(performance_path(take));
    Source source;
    RenderEvents quiet;
    std::vector<float> samples;
    replay(p, source, quiet,
           [&](std::span<const float> s) { samples.insert(samples.end(), s.begin(), s.end()); });
    WriterOptions options;
    options.rate = p.programs.front().sample_rate;
    options.comment = recording_comment(p.programs.front().model_name);
    options.replace = Replace::any();
    const std::filesystem::path path = world.folder() / "again.wav";
    {
      AudioWriter writer(path, options);
      writer.write(samples);
      writer.close();
    }
    EXPECT_TRUE(testing::read_file(path) == testing::read_file(take)) << "not the recording";
    return p;
  }
  // Another value, at random, for every control of the draw, and for every one of the layers in
  // all, a tier or one of them; each with a ramp of its own.
  void turn_everything() {
    std::uniform_real_distribution<double> part(0, 1);
    const auto ramp = [&] { return static_cast<std::uint32_t>(rng() % 2000); };
    for (const ControlId id : kDraw)
      EXPECT_TRUE(session->set(id, value_at(control_spec(id), 0.2 + 0.6 * part(rng)), ramp()));
    const LayerMap& layers = session->layers()->layers();
    for (std::size_t v = 0; v < kLayerValues; ++v) {
      const ControlId id = layer_value_id(v);
      const auto layer = static_cast<int>(rng() % static_cast<unsigned>(layers.size()));
      const std::array<std::int16_t, 3> targets = {kAllTargets, tier_target(layers.tier(layer)),
                                                   layers.target(layer)};
      const double value = value_at(control_spec(id), 0.3 + 0.4 * part(rng));
      EXPECT_TRUE(session->set_layers(id, targets[rng() % 3], value, ramp()));
    }
    EXPECT_TRUE(session->set_layers(ControlId::forget, kAllTargets, 0.5 + 0.5 * part(rng)));
    session->set_rng_seed(rng());
    session->set(ControlId::level, -20 * part(rng));  // of what is heard alone
    session->set(ControlId::match_level, static_cast<double>(rng() % 2));
  }
  static constexpr std::array kDraw = {ControlId::temperature, ControlId::top_k, ControlId::top_p,
                                       ControlId::min_p,       ControlId::floor, ControlId::gate};

  static bool has(const Performance& p, ControlId id) {
    return std::any_of(p.events.begin(), p.events.end(),
                       [&](const ControlEvent& e) { return e.id == id; });
  }

  testing::SoundWorld world;
  const std::filesystem::path clip = testing::short_clip(world.folder());
  const std::filesystem::path take = world.folder() / "take.wav";
  std::unique_ptr<Session> session;
  std::uint64_t moves = 0;
  std::mt19937 rng{1};
};

TEST_F(MomentSession, EverythingRepeatsBitForBit) {
  start();
  session->store(7);
  ASSERT_TRUE(filled(7));
  record();
  // Two minutes where there is time.
  const char* long_one =
      std::getenv("MAMBO_LONG");  // NOLINT(concurrency-mt-unsafe): the tests do not change it
  const int rounds = long_one != nullptr ? 90 : 1;
  for (int round = 0; round < rounds; ++round) {
    turn_everything();
    for (int slot = 0; slot < 4; ++slot) {
      session->store(slot);
      ASSERT_TRUE(pass(2500));
      ASSERT_TRUE(filled(slot));
    }
    turn_everything();
    session->recall(1);
    ASSERT_TRUE(moved());
    ASSERT_TRUE(pass(1500));
    for (int i = 0; i <= 10; ++i) {
      session->morph(Morph::on_pad({0, 1, 2, 3}, 0.1 * i, 0.05 * i));
      ASSERT_TRUE(pass(300));
    }
    session->morph(Morph::between(0, 2, 0.5, 2U));
    ASSERT_TRUE(pass(1000));
    session->recall(kBefore);
    ASSERT_TRUE(pass(1000));
    session->store(0);
    session->unstore(0);
    session->recall(0);
    ASSERT_TRUE(pass(1000));
    turn_everything();
    moves = session->moments().moves;
    session->jump(session->status().generated - 5000);
    ASSERT_TRUE(moved());
    ASSERT_TRUE(pass(1000));
    turn_everything();
    session->fork(3, 0.15);
    ASSERT_TRUE(within(120, [&] { return session->moments().fork == MomentStatus::Fork::ready; }));
    session->audition_continuation(1);
    EXPECT_TRUE(within(10, [&] { return session->status().auditioning; }));
    session->keep(1, round % 2 == 0);
    ASSERT_TRUE(moved());
    ASSERT_TRUE(pass(2000));
    session->clear_slot(3);
  }
  const Performance p = expect_repeats();
  for (const ControlId id :
       {ControlId::store, ControlId::unstore, ControlId::recall, ControlId::morph, ControlId::jump,
        ControlId::land, ControlId::fork, ControlId::keep, ControlId::clear}) {
    EXPECT_TRUE(has(p, id)) << static_cast<int>(id);
  }
  for (const ControlId id : kDraw) EXPECT_TRUE(has(p, id)) << control_spec(id).key;
  for (std::size_t v = 0; v < kLayerValues; ++v)
    EXPECT_TRUE(has(p, layer_value_id(v))) << control_spec(layer_value_id(v)).key;
  EXPECT_EQ(parse_performance(performance_text(p), "again"), p);
  EXPECT_EQ(session->moments().refused, 0U);
}

// What the run before the recording left in a slot is kept in a file beside the take.
TEST_F(MomentSession, ASlotOfAnEarlierRunIsKeptBesideTheTake) {
  start();
  ASSERT_TRUE(pass(2000));
  session->store(2);
  ASSERT_TRUE(filled(2));
  session->name_slot(2, "bells");
  const std::uint64_t before = session->status().generated;
  session->again();
  ASSERT_TRUE(within(20, [&] { return session->status().generated < before; }));
  EXPECT_TRUE(filled(2)) << "slots stay";
  EXPECT_EQ(session->moments().slots[2].name, "bells");
  record();
  ASSERT_TRUE(pass(1000));
  session->recall(2);
  ASSERT_TRUE(moved());
  ASSERT_TRUE(pass(1500));
  session->again();  // in the middle, the slot holds what it held
  ASSERT_TRUE(pass(200));
  ASSERT_TRUE(pass(1000));
  session->recall(2);
  ASSERT_TRUE(moved());
  ASSERT_TRUE(pass(1500));
  const Performance p = expect_repeats();
  ASSERT_EQ(p.moments.size(), 1U);
  EXPECT_EQ(p.moments[0].path.filename(), "take.slot3.moment");
  EXPECT_EQ(moment_facts(p.moments[0].path).model_name, session->model()->config().name);
}

TEST_F(MomentSession, AMomentGoesToAFileAndBack) {
  start();
  ASSERT_TRUE(pass(1500));
  session->store(0);
  ASSERT_TRUE(filled(0));
  session->name_slot(0, "calm");
  const std::filesystem::path file = world.folder() / "calm.moment";
  session->save_slot(0, file);
  ASSERT_TRUE(says("Saved slot 1 to ")) << session->status().message;
  EXPECT_EQ(moment_facts(file).name, "calm");
  session->load_slot(5, file);
  ASSERT_TRUE(says("Loaded calm.moment into slot 6.")) << session->status().message;
  ASSERT_TRUE(filled(5));
  EXPECT_EQ(session->moments().slots[5].name, "calm");
  EXPECT_EQ(session->moments().slots[5].picture, session->moments().slots[0].picture);
  record();
  session->recall(5);
  ASSERT_TRUE(moved());
  session->load_slot(6, file);  // and one that comes in while it is recorded
  ASSERT_TRUE(filled(6));
  session->recall(6);
  ASSERT_TRUE(moved());
  ASSERT_TRUE(pass(1500));
  const Performance p = expect_repeats();
  ASSERT_EQ(p.moments.size(), 2U);
  EXPECT_EQ(p.moments[0].path, file) << "it is in a file already";
  session->save_slot(4, file);
  EXPECT_TRUE(says("slot 5 is empty")) << session->status().message;
  session->load_slot(4, clip);
  EXPECT_TRUE(says("short.wav") || says("safetensors")) << session->status().message;
  session->recall(4);
  EXPECT_TRUE(within(10, [&] { return session->moments().refused == 1; }));
}

// What is heard after a jump is what was heard there, and nothing runs dry meanwhile.
TEST_F(MomentSession, AJumpDoesNotInterrupt) {
  start();
  session->set_observing(true);
  ASSERT_TRUE(pass(24000));
  const std::uint64_t underruns = session->status().underruns;
  const std::uint64_t from = session->status().generated;
  session->jump(from - 16001);
  ASSERT_TRUE(moved());
  const std::uint64_t took = session->status().generated - from;
  ASSERT_TRUE(pass(4000));
  RecordProperty("samples_until_the_jump", static_cast<int>(took));
  RecordProperty("underruns", static_cast<int>(session->status().underruns - underruns));
  EXPECT_EQ(session->moments().reach, 0U);
}

// Slots survive the engine that they were made on.
TEST_F(MomentSession, AGpuThatIsLostTakesNoSlotWithIt) {
  const FailingEngine* gpu = nullptr;
  SessionOptions options;
  options.engines = [&](const NetworkView& net, const std::string& backend, const EngineOptions& o,
                        std::string*) -> std::unique_ptr<Engine> {
    if (backend == "cpu") return make_engine(net, backend, o);
    auto engine = std::make_unique<FailingEngine>(net, o, 1'000'000'000);
    gpu = engine.get();
    return engine;
  };
  start(options);
  ASSERT_TRUE(pass(1000));
  record();
  session->store(3);
  ASSERT_TRUE(filled(3));
  session->name_slot(3, "kept");
  ASSERT_TRUE(pass(2000));
  for (const char* name : {"one.moment", "two.moment"}) {  // the worker copies it in between
    session->save_slot(3, world.folder() / name);
    ASSERT_TRUE(within(20, [&] { return std::filesystem::exists(world.folder() / name); }));
  }
  gpu->lose();
  ASSERT_TRUE(within(30, [&] { return session->status().backend.rfind("CPU", 0) == 0; }));
  ASSERT_TRUE(pass(1000));
  EXPECT_EQ(session->moments().slots[3].name, "kept");
  session->recall(3);
  ASSERT_TRUE(moved());
  ASSERT_TRUE(pass(2000));
  expect_repeats();
}

TEST_F(MomentSession, ContinuationsAreRankedAndGoneWithTheirRun) {
  start();
  ASSERT_TRUE(pass(1000));
  session->fork(4, 0.1);
  ASSERT_TRUE(within(120, [&] { return session->moments().fork == MomentStatus::Fork::ready; }));
  const MomentStatus s = session->moments();
  ASSERT_EQ(s.continuations.size(), 4U);
  EXPECT_TRUE(std::is_sorted(s.continuations.begin(), s.continuations.end(),
                             [](const auto& a, const auto& b) { return a.log_prob > b.log_prob; }));
  EXPECT_NE(s.continuations[0].rng_seed, s.continuations[1].rng_seed);
  EXPECT_LT(s.continuations[0].log_prob, 0);
  EXPECT_LT(s.continuations[0].level_dbfs, 0);
  session->fork(2, 0.1);  // what was drawn before is not shown as its result
  ASSERT_TRUE(within(120, [&] { return session->moments().fork == MomentStatus::Fork::ready; }));
  EXPECT_EQ(session->moments().continuations.size(), 2U);
  session->again();
  ASSERT_TRUE(pass(200));
  session->keep(0);
  EXPECT_TRUE(says("is gone")) << session->status().message;
  session->cancel_fork();
  EXPECT_EQ(session->moments().fork, MomentStatus::Fork::none);
  session->fork(2, 0.2, 6);
  EXPECT_TRUE(says("empty")) << session->status().message;
}

}  // namespace
}  // namespace mambo
