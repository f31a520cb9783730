// What was played live, drawn again from its performance: the recorded samples, bit for bit.
// Past 400 lines: one fixture, which plays in as many ways as there are events.
#include "app/control/performance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/live/session.h"
#include "app/offline/replay.h"
#include "kernels/backends.h"
#include "kernels/error.h"
#include "listen.h"
#include "sound_server.h"
#include "tests/failing_engine.h"
#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::bring_up;
using testing::FailingEngine;
using testing::within;

using Engines =
    std::function<std::shared_ptr<const Engine>(const NetworkView&, const std::string& backend)>;

class Source final : public ReplaySource {
 public:
  explicit Source(Engines engines) : engines_(std::move(engines)) {}
  std::shared_ptr<const Model> model(const PlayedProgram& p) override {
    auto model = Model::load(p.model_path);
    EXPECT_EQ(model->hash(), p.model_sha256);
    return model;
  }
  std::vector<std::uint8_t> clip(const PlayedProgram& p, const Model& model) override {
    if (p.clip_path.empty()) return {};
    return encode(load_clip(p.clip_path, p.sample_rate).samples, model.config().encoding);
  }
  std::shared_ptr<const Engine> engine(const PlayedEngine& e, const Model& model) override {
    asked.push_back(e.backend);
    return engines_(model.network(), e.backend);
  }
  std::vector<std::string> asked;

 private:
  Engines engines_;
};

std::vector<float> again(const Performance& p, ReplaySource& source) {
  RenderEvents quiet;
  std::vector<float> samples;
  replay(p, source, quiet,
         [&](std::span<const float> s) { samples.insert(samples.end(), s.begin(), s.end()); });
  return samples;
}

class PerformanceTest : public ::testing::Test {
 protected:
  void start(const SessionOptions& options, bool with_clip = true) {
    session = std::make_unique<Session>(options);
    ASSERT_TRUE(bring_up(*session, with_clip ? clip : std::filesystem::path()));
    session->play();
  }
  // So many samples more of this run.
  bool pass(std::uint64_t samples, double seconds = 60) {
    const std::uint64_t to = session->status().generated + samples;
    return within(seconds, [&] { return session->status().generated >= to; });
  }
  bool in_new_run(std::uint64_t before) {
    return within(20, [&] { return session->status().generated < before; });
  }
  void record() {
    session->start_recording(take);
    ASSERT_TRUE(within(10, [&] { return session->status().recording; }));
  }
  Performance stop() {
    session->stop_recording();
    EXPECT_TRUE(within(10, [&] {
      return session->status().message.find("Recorded ") != std::string::npos;
    })) << session->status().message;
    EXPECT_NE(session->status().message.find("Its performance is take.performance.jsonl."),
              std::string::npos)
        << session->status().message;
    return read_performance(performance_path(take));
  }
  // The file as the recorder would write these samples.
  void expect_recorded(const std::vector<float>& samples, const Performance& p) {
    ASSERT_EQ(samples.size(), p.recorded_samples);
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
  }
  void touch(std::uint64_t i, std::uint64_t at, ControlId id, double value, std::uint32_t ramp) {
    ControlEvent e;
    e.at = at + 37 * i;
    e.id = id;
    e.value.real = value;
    e.ramp = ramp;
    EXPECT_TRUE(session->send(e));
  }
  // Changes in the middle of chunks and ramps, some of them over others.
  void play_with_it() {
    const std::uint64_t at = session->status().generated + 1200;
    touch(1, at, ControlId::temperature, 0.4, 0);
    touch(2, at, ControlId::temperature, 1.3, 500);
    touch(3, at, ControlId::top_k, 40, 0);
    touch(4, at, ControlId::top_p, 0.7, 333);
    touch(9, at, ControlId::temperature, 0.9, 50);
    touch(11, at, ControlId::top_k, 256, 700);
    touch(12, at, ControlId::min_p, 0.4, 200);
    touch(13, at, ControlId::floor, 0.003, 0);
    touch(14, at, ControlId::gate, 6, 333);
    session->set(ControlId::level, -6);
    session->set_sampling({1.1F, 30, 0.9F});
    ASSERT_TRUE(pass(2600));
  }
  static Engines cpu() {
    return [](const NetworkView& net, const std::string& backend) {
      EXPECT_EQ(backend, "cpu");
      return std::shared_ptr<const Engine>(make_engine(net, "cpu"));
    };
  }
  static SessionOptions on_cpu() {
    SessionOptions options;
    options.backend = "cpu";
    return options;
  }
  static SessionOptions with_failing_gpu(std::int64_t samples) {
    SessionOptions options;
    options.engines = [=](const NetworkView& net, const std::string& backend,
                          const EngineOptions& o, std::string*) -> std::unique_ptr<Engine> {
      if (backend == "cpu") return make_engine(net, backend, o);
      return std::make_unique<FailingEngine>(net, o, samples);
    };
    return options;
  }
  static Engines with_gpu() {
    return [](const NetworkView& net, const std::string& backend) {
      if (backend == "cpu") return std::shared_ptr<const Engine>(make_engine(net, "cpu"));
      return std::shared_ptr<const Engine>(
          std::make_shared<FailingEngine>(net, EngineOptions{}, 1'000'000'000));
    };
  }

  testing::SoundWorld world;
  const std::filesystem::path clip = testing::short_clip(world.folder());
  const std::filesystem::path take = world.folder() / "take.wav";
  std::unique_ptr<Session> session;
};

TEST_F(PerformanceTest, ChangesInMidChunkAndRampsFromTheMiddleOfATake) {
  start(on_cpu());
  play_with_it();
  record();
  play_with_it();
  const Performance p = stop();
  Source source(cpu());
  const std::vector<float> samples = again(p, source);
  expect_recorded(samples, p);
  const auto in_mid_chunk = [](const ControlEvent& e) { return e.at % 128 != 0; };
  EXPECT_GT(std::count_if(p.events.begin(), p.events.end(), in_mid_chunk), 4);

  // Changes matter: without one, or one sample later, it is another sound.
  const auto differs = [&](const std::function<void(std::vector<ControlEvent>&, std::size_t)>& f) {
    for (std::size_t i = 0; i < p.events.size(); ++i) {
      if (p.events[i].id != ControlId::temperature || p.events[i].at == 0) continue;
      Performance other = p;
      f(other.events, i);
      if (again(other, source) != samples) return true;
    }
    return false;
  };
  EXPECT_TRUE(differs([](std::vector<ControlEvent>& events, std::size_t i) {
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(i));
  }));
  EXPECT_TRUE(differs([](std::vector<ControlEvent>& events, std::size_t i) { ++events[i].at; }));
}

// Selectivity by hand: ramps on a tier, a hold on a layer, read on all, forget in the middle of a
// chunk; an Again, and another clip, keep what was set.
TEST_F(PerformanceTest, SelectivityByHand) {
  start(on_cpu());
  const auto layers = session->layers();
  ASSERT_NE(layers, nullptr);
  const std::uint64_t at = session->status().generated + 1200;
  const auto move = [&](std::uint64_t i, ControlId id, const char* target, double value,
                        std::uint32_t ramp = 0) {
    ControlEvent e;
    e.at = at + 37 * i;
    e.id = id;
    e.target = *parse_target(target);
    e.value.real = value;
    e.ramp = ramp;
    EXPECT_TRUE(session->send(e));
  };
  move(0, ControlId::hold_B, "center.0", 0.7);
  move(1, ControlId::hold_C, "tier7", 1);  // there is none: neither drawn with nor told
  record();
  move(2, ControlId::delta_scale, "tier0", 0.25, 700);
  move(4, ControlId::read, "all", 0.8);
  move(7, ControlId::forget, "all", 0.1);
  move(9, ControlId::delta_scale, "tier0", 3, 333);
  move(12, ControlId::hold_delta, "tier1", 1, 200);
  move(13, ControlId::temperature, "all", 0.8, 100);
  ASSERT_TRUE(pass(2600));
  EXPECT_EQ(layers->present(ControlId::delta_scale, 0), 3);
  EXPECT_EQ(layers->present(ControlId::read, 0), 0.8);
  session->again();
  ASSERT_TRUE(in_new_run(session->status().generated));
  ASSERT_TRUE(session->set_layers(ControlId::delta_scale, kAllTargets, 0));  // frozen
  ASSERT_TRUE(pass(800));
  session->clear_clip();
  ASSERT_TRUE(within(20, [&] { return session->clip_path().empty(); }));
  ASSERT_TRUE(session->set_layers(ControlId::delta_scale, kAllTargets, 1, 500));
  ASSERT_TRUE(pass(1500));
  const Performance p = stop();
  EXPECT_EQ(parse_performance(performance_text(p), "again"), p);
  const auto count = [&](ControlId id) {
    return std::count_if(p.events.begin(), p.events.end(),
                         [&](const ControlEvent& e) { return e.id == id; });
  };
  EXPECT_EQ(count(ControlId::hold_C), 0);
  EXPECT_EQ(count(ControlId::forget), 1);
  Source source(cpu());
  const std::vector<float> samples = again(p, source);
  expect_recorded(samples, p);
  // Each of them is heard.
  for (const ControlId id : {ControlId::delta_scale, ControlId::hold_B, ControlId::read,
                             ControlId::forget, ControlId::hold_delta}) {
    Performance other = p;
    other.events.erase(std::remove_if(other.events.begin(), other.events.end(),
                                      [&](const ControlEvent& e) { return e.id == id; }),
                       other.events.end());
    EXPECT_TRUE(again(other, source) != samples) << control_spec(id).key;
  }
  // A model without such a layer is said before anything is drawn.
  Performance foreign = p;
  foreign.events.back().id = ControlId::hold_B;
  foreign.events.back().target = *parse_target("up.6.0");
  foreign.events.back().value = {1, 0};
  try {
    again(foreign, source);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("found up.6.0"), std::string::npos) << e.what();
  }
}

TEST_F(PerformanceTest, AgainAndANewRandomSeed) {
  start(on_cpu());
  session->set_rng_seed(5);  // counts from the next Again on
  ASSERT_TRUE(pass(500));
  record();
  ASSERT_TRUE(pass(1500));
  session->set(ControlId::temperature, 0.5, 100000);  // under way when the run ends
  ASSERT_TRUE(pass(500));
  session->again();
  ASSERT_TRUE(in_new_run(session->status().generated));
  play_with_it();
  session->set_rng_seed(UINT64_MAX);
  session->again();
  ASSERT_TRUE(in_new_run(2000));
  ASSERT_TRUE(pass(1000));
  const Performance p = stop();
  const auto runs = std::count_if(p.events.begin(), p.events.end(),
                                  [](const ControlEvent& e) { return e.id == ControlId::again; });
  EXPECT_EQ(runs, 2);
  Source source(cpu());
  expect_recorded(again(p, source), p);
  EXPECT_EQ(parse_performance(performance_text(p), "again"), p);
}

TEST_F(PerformanceTest, ATakeAfterAgainNeedsNothingOfTheRunBefore) {
  start(on_cpu(), false);
  play_with_it();
  session->again();
  ASSERT_TRUE(in_new_run(2000));
  record();
  ASSERT_TRUE(pass(1000));
  const Performance p = stop();
  EXPECT_EQ(p.programs.size(), 1U);
  EXPECT_TRUE(p.programs.front().clip_path.empty());
  for (const ControlEvent& e : p.events) EXPECT_NE(e.id, ControlId::again);
  Source source(cpu());
  expect_recorded(again(p, source), p);

  // And a second recording of the same run, with a name of its own.
  std::filesystem::remove(take);
  record();
  ASSERT_TRUE(pass(1000));
  const Performance second = stop();
  EXPECT_EQ(std::count_if(second.events.begin(), second.events.end(),
                          [](const ControlEvent& e) { return e.id == ControlId::recording; }),
            1);
  expect_recorded(again(second, source), second);
}

TEST_F(PerformanceTest, AnotherClipInTheMiddle) {
  start(on_cpu());
  record();
  ASSERT_TRUE(pass(1000));
  session->clear_clip();
  ASSERT_TRUE(within(20, [&] { return session->clip_path().empty(); }));
  ASSERT_TRUE(pass(1500));
  const Performance p = stop();
  EXPECT_EQ(p.programs.size(), 2U);
  Source source(cpu());
  expect_recorded(again(p, source), p);
}

TEST_F(PerformanceTest, AGpuThatIsLost) {
  start(with_failing_gpu(4000));
  ASSERT_TRUE(pass(1000));
  record();
  ASSERT_TRUE(within(30, [&] { return session->status().backend.rfind("CPU", 0) == 0; }));
  ASSERT_TRUE(pass(1000));
  session->set(ControlId::temperature, 0.6, 400);
  ASSERT_TRUE(pass(1000));
  session->again();
  ASSERT_TRUE(in_new_run(3000));
  ASSERT_TRUE(pass(800));
  const Performance p = stop();
  EXPECT_EQ(p.programs.front().engine.backend, "cuda");
  ASSERT_EQ(p.engines.size(), 1U);
  EXPECT_EQ(p.engines.front().backend, "cpu");
  Source source(with_gpu());
  expect_recorded(again(p, source), p);
  EXPECT_EQ(source.asked, (std::vector<std::string>{"cuda", "cpu"}));
}

TEST_F(PerformanceTest, ATakeAfterTheGpuWasLostDoesNotNeedIt) {
  start(with_failing_gpu(2000));
  ASSERT_TRUE(within(30, [&] { return session->status().backend.rfind("CPU", 0) == 0; }));
  ASSERT_TRUE(pass(500));
  session->again();
  ASSERT_TRUE(in_new_run(2000));
  record();
  ASSERT_TRUE(pass(1000));
  const Performance p = stop();
  Source source(cpu());
  expect_recorded(again(p, source), p);
  EXPECT_EQ(source.asked, std::vector<std::string>{"cpu"});
}

// A chunk under way at the end of a take must not come into the next one.
TEST_F(PerformanceTest, ATakeRightAfterAnotherOnASlowDevice) {
  const FailingEngine* slow = nullptr;
  SessionOptions options;
  options.engines = [&](const NetworkView& net, const std::string&, const EngineOptions& o,
                        std::string*) -> std::unique_ptr<Engine> {
    auto engine = std::make_unique<FailingEngine>(net, o, 1'000'000'000);
    slow = engine.get();
    return engine;
  };
  start(options);
  ASSERT_TRUE(pass(500));
  session->start_recording(world.folder() / "first.wav");
  ASSERT_TRUE(within(10, [&] { return session->status().recorded_seconds > 0; }));
  slow->pause_ms = 400;
  ASSERT_TRUE(pass(1, 10));
  session->stop_recording();
  session->start_recording(take);
  ASSERT_TRUE(within(
      10, [&] { return session->status().recording && session->status().recording_path == take; }));
  slow->pause_ms = 0;
  ASSERT_TRUE(pass(1000));
  const Performance p = stop();
  Source source(with_gpu());
  expect_recorded(again(p, source), p);
}

TEST_F(PerformanceTest, OnAGpu) {
  const auto devices = compute_devices();
  const bool cuda = std::any_of(devices.begin(), devices.end(), [](const ComputeDevice& d) {
    return d.backend == Backend::cuda && d.usable;
  });
  if (!cuda) GTEST_SKIP() << "no GPU here";
  SessionOptions options;
  options.backend = "cuda";
  start(options);
  play_with_it();
  record();
  play_with_it();
  const std::uint64_t before = session->status().generated;
  session->set_rng_seed(9);
  session->again();
  ASSERT_TRUE(in_new_run(before));
  play_with_it();
  const Performance p = stop();
  Source source([](const NetworkView& net, const std::string& backend) {
    return std::shared_ptr<const Engine>(make_engine(net, backend));
  });
  expect_recorded(again(p, source), p);
  EXPECT_EQ(source.asked, std::vector<std::string>{"cuda"});
}

TEST_F(PerformanceTest, AnothersFileIsNeverReplaced) {
  start(on_cpu());
  std::ofstream(performance_path(take)) << "mine\n";
  record();
  ASSERT_TRUE(pass(500));
  session->stop_recording();
  ASSERT_TRUE(within(10, [&] {
    return session->status().message.find("It has no performance: ") != std::string::npos;
  })) << session->status().message;
  EXPECT_EQ(testing::read_file(performance_path(take)), "mine\n");
}

}  // namespace
}  // namespace mambo
