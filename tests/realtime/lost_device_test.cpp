// A GPU that refuses, or is lost during playing: one sentence, and the CPU continues.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "app/live/program.h"
#include "app/live/session.h"
#include "listen.h"
#include "sound_server.h"
#include "tests/failing_engine.h"

namespace mambo {
namespace {

using testing::bring_up;
using testing::codes_of;
using testing::FailingEngine;
using testing::Offline;
using testing::watch;
using testing::within;

// A session whose best device is lost after `samples`.
SessionOptions with_failing_gpu(std::int64_t samples, bool with_cpu = true) {
  SessionOptions options;
  options.engines = [=](const NetworkView& net, const std::string& backend, const EngineOptions& o,
                        std::string* notice) -> std::unique_ptr<Engine> {
    if (backend != "cpu") return std::make_unique<FailingEngine>(net, o, samples);
    if (!with_cpu) throw Error("there is no CPU engine");
    return make_engine(net, backend, o, notice);
  };
  return options;
}

class LostDevice : public ::testing::Test {
 protected:
  void start(const SessionOptions& options) {
    session = std::make_unique<Session>(options);
    session->set_observing(true);
  }
  bool says(const std::string& part, double seconds = 10) {
    return within(seconds,
                  [&] { return session->status().message.find(part) != std::string::npos; });
  }
  testing::SoundWorld world;
  const std::filesystem::path clip = testing::short_clip(world.folder());
  std::unique_ptr<Session> session;
};

TEST_F(LostDevice, TheCpuGoesOnWhereTheGpuStood) {
  constexpr std::size_t lost_after = 4000;
  start(with_failing_gpu(lost_after));
  ASSERT_TRUE(bring_up(*session, clip));
  EXPECT_EQ(session->status().backend, "CUDA, pretended");
  EXPECT_EQ(session->status().engine_notice, "");
  session->play();
  auto seen = watch(*session, 3000);
  ASSERT_TRUE(says("The GPU was lost ("));
  const SessionStatus s = session->status();
  EXPECT_EQ(s.message,
            std::string("The GPU was lost (") + FailingEngine::kWhy + "); the CPU goes on.");
  EXPECT_TRUE(s.message_is_error);
  EXPECT_EQ(s.backend.rfind("CPU, ", 0), 0U) << s.backend;
  EXPECT_NE(s.engine_notice, "");
  EXPECT_TRUE(within(5, [&] { return session->status().activity == Activity::ready; }));

  // One history, without a gap, and what an engine that never failed would have played.
  for (const Observation& o : watch(*session, 4000)) seen.push_back(o);
  std::uint64_t position = 0;
  for (const Observation& o : seen) {
    ASSERT_EQ(o.first, position);
    ASSERT_EQ(o.generation, seen.front().generation);
    position += o.codes.size();
  }
  std::vector<std::uint8_t> codes = codes_of(seen);
  ASSERT_GT(codes.size(), lost_after + 500);
  codes.resize(lost_after + 500);  // after long, different rounding may draw other codes
  EXPECT_EQ(codes, Offline(clip, 1, "cpu").codes(codes.size()));

  const std::uint64_t before = seen.back().generation;
  session->again();
  std::vector<std::uint8_t> again = codes_of(watch(*session, 500, before));
  again.resize(500);
  EXPECT_EQ(again, Offline(clip, 1, "cpu").codes(500));
}

TEST_F(LostDevice, AgainAskedOfALostGpuIsObeyedByTheCpu) {
  const FailingEngine* gpu = nullptr;
  SessionOptions options;
  options.engines = [&gpu](const NetworkView& net, const std::string& backend,
                           const EngineOptions& o, std::string*) -> std::unique_ptr<Engine> {
    if (backend == "cpu") return make_engine(net, backend, o);
    auto engine = std::make_unique<FailingEngine>(net, o, 1'000'000'000);
    gpu = engine.get();
    return engine;
  };
  start(options);
  ASSERT_TRUE(bring_up(*session));
  session->play();
  const std::uint64_t generation = watch(*session, 1500).back().generation;
  gpu->lose();
  session->again();
  ASSERT_TRUE(says("The GPU was lost ("));
  std::vector<std::uint8_t> codes = codes_of(watch(*session, 500, generation));
  codes.resize(500);
  EXPECT_EQ(codes, Offline({}, 1, "cpu").codes(500));
}

TEST_F(LostDevice, AGpuThatRefusesTheClipGivesWayToTheCpu) {
  start(with_failing_gpu(0));
  ASSERT_TRUE(bring_up(*session, clip));
  const SessionStatus s = session->status();
  EXPECT_EQ(s.backend.rfind("CPU, ", 0), 0U) << s.backend;
  EXPECT_EQ(s.engine_notice,
            std::string("The GPU refused (") + FailingEngine::kWhy + "); the CPU computes");
  session->play();
  std::vector<std::uint8_t> codes = codes_of(watch(*session, 2000));
  codes.resize(2000);
  EXPECT_EQ(codes, Offline(clip, 1, "cpu").codes(2000));
  session->clear_clip();  // and stays there
  EXPECT_TRUE(within(10, [&] { return session->clip_path().empty(); }));
  EXPECT_NE(session->status().engine_notice, "");
}

TEST_F(LostDevice, WithNothingToGoOnWithTheSessionSaysSoAndLives) {
  start(with_failing_gpu(2000, false));
  ASSERT_TRUE(bring_up(*session));
  session->play();
  ASSERT_TRUE(says("nothing can go on"));
  const SessionStatus s = session->status();
  EXPECT_TRUE(s.message_is_error);
  EXPECT_NE(s.message.find(FailingEngine::kWhy), std::string::npos) << s.message;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(session->status().message_id, s.message_id) << "says it over and over";
  session->again();
  session->pause();
  session->open_model(testing::model_path());
  session->play();
  EXPECT_TRUE(within(10, [&] { return session->status().generated > 1000; }));
}

// More was drawn than is kept: the position is right, the state that of the kept codes.
TEST(ReviveVoice, KeepsItsPlaceWhenOnlyTheEndIsKnown) {
  const auto model = Model::load(MAMBO_TEST_DATA "/rand-unet-p4.safetensors");
  const std::shared_ptr<const Engine> engine =
      make_engine(model->network(), "cpu", {WeightStorage::f32, 2, {}});
  const auto nod = [](float) { return true; };
  std::vector<std::uint8_t> clip(3001);
  for (std::size_t i = 0; i < clip.size(); ++i) clip[i] = static_cast<std::uint8_t>(i % 200);
  const auto lost = make_program(model, engine, clip, -1, 128, nod);
  std::vector<std::uint8_t> drawn(30000);
  lost->voice->generate(drawn);
  for (const std::size_t known : {drawn.size(), drawn.size() - 1, std::size_t{20000}}) {
    const auto voice =
        revive_program(*lost, engine, std::span(drawn).last(known), drawn.size(), nod);
    EXPECT_EQ(voice->voice->position(), clip.size() + drawn.size());
    EXPECT_EQ(voice->clip_end.position(), clip.size());
    EXPECT_EQ(voice->observations.queue, lost->observations.queue);
    std::vector<float> want(engine->layout().size), got(want.size());
    engine->read_state(lost->voice->state(), want);
    engine->read_state(voice->voice->state(), got);
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(got[i] - want[i])) /
                                  (1 + std::fabs(static_cast<double>(want[i]))));
    EXPECT_LT(worst, known == drawn.size() ? 1e-3 : 2e-2) << known << " of " << drawn.size();
  }
}

}  // namespace
}  // namespace mambo
