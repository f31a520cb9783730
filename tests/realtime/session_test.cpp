// The session as its owner sees it, on a machine without sound: the silent clock plays.
// Past 400 lines: one fixture, one table of what a session must do.
#include "app/live/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "listen.h"
#include "sound_server.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::at_most;
using testing::bring_up;
using testing::codes_of;
using testing::model_path;
using testing::Offline;
using testing::watch;
using testing::within;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::leave_noise_alone(*session); }
  // Minutes of noise: long enough to be interrupted while it is absorbed.
  std::filesystem::path long_clip() {
    std::filesystem::path path = world.folder() / "long.wav";
    AudioWriter writer(path, WriterOptions{});  // 16 kHz
    std::vector<float> second(16000);
    for (std::size_t i = 0; i < second.size(); ++i) second[i] = static_cast<float>(i % 77) / 100;
    for (int s = 0; s < (testing::kSanitized ? 200 : 600); ++s) writer.write(second);
    writer.close();
    return path;
  }
  bool wait_for_message(const std::string& part, double seconds = 10) {
    return within(seconds,
                  [&] { return session->status().message.find(part) != std::string::npos; });
  }
  bool grows(double seconds = 5) {
    const std::uint64_t now = session->status().generated;
    return within(seconds, [&] { return session->status().generated > now + 1000; });
  }

  // Whether nothing is drawn any more, once what was under way is done.
  bool stands_still() {
    return within(10, [&] {
      const std::uint64_t now = session->status().generated;
      std::this_thread::sleep_for(300ms);
      return session->status().generated == now;
    });
  }

  testing::SoundWorld world;
  const std::filesystem::path clip = testing::short_clip(world.folder());
  std::unique_ptr<Session> session = std::make_unique<Session>(SessionOptions{});
};

TEST_F(SessionTest, WithoutADeviceItSaysSoAndPlaysInRealTime) {
  ASSERT_TRUE(bring_up(*session));
  if (!session->status().silent) GTEST_SKIP() << "this machine has a sound device after all";
  EXPECT_TRUE(wait_for_message("running silently, clocked by a timer"));
  EXPECT_TRUE(session->status().message_is_error);
  session->play();
  EXPECT_TRUE(session->status().playing);
  ASSERT_TRUE(grows());
  // A machine with other things to do may be late for a while.
  EXPECT_TRUE(within(20, [&] {
    const std::uint64_t before = session->status().generated;
    const auto start = Clock::now();
    std::this_thread::sleep_for(1s);
    const double made = static_cast<double>(session->status().generated - before) / 16000;
    return std::abs(made - seconds_since(start)) < 0.15;
  })) << "not in real time";
  const SessionStatus s = session->status();
  EXPECT_EQ(s.device_rate, 16000);
  EXPECT_GT(s.us_per_sample_mean, 0);
  EXPECT_GE(s.us_per_sample_p99, s.us_per_sample_mean / 2);
  EXPECT_GT(s.real_time_factor, 0);
  EXPECT_GT(s.heard, 0U);
  EXPECT_LT(s.heard, s.generated);
  EXPECT_FALSE(s.backend.empty());
}

TEST_F(SessionTest, PauseStandsStill) {
  ASSERT_TRUE(bring_up(*session));
  session->play();
  ASSERT_TRUE(grows());
  session->pause();
  EXPECT_FALSE(session->status().playing);
  EXPECT_TRUE(stands_still());
  session->play();
  EXPECT_TRUE(grows());
}

TEST_F(SessionTest, PlaysWhatAnOfflineGeneratorMakesAndAgainRepeatsIt) {
  session->set_observing(true);
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  const auto first = watch(*session, 6000);
  Offline offline(clip);
  EXPECT_EQ(codes_of(first, true), offline.clip());
  std::vector<std::uint8_t> codes = codes_of(first);
  EXPECT_EQ(codes, offline.codes(codes.size()));

  session->again();
  const auto asked = Clock::now();
  const auto second = watch(*session, codes.size(), first.front().generation);
  EXPECT_LT(seconds_since(asked), at_most(2)) << "absorbed the clip once more?";
  EXPECT_EQ(session->status().activity, Activity::ready);
  std::vector<std::uint8_t> repeated = codes_of(second);
  repeated.resize(codes.size());
  EXPECT_EQ(repeated, codes);

  session->set_rng_seed(2);
  session->again();
  std::vector<std::uint8_t> other =
      codes_of(watch(*session, codes.size(), second.front().generation));
  other.resize(codes.size());
  EXPECT_NE(other, codes);
  EXPECT_EQ(other, Offline(clip, 2).codes(codes.size()));
}

TEST_F(SessionTest, ControlsTakeEffectWithinAChunk) {
  session->set_observing(true);
  ASSERT_TRUE(bring_up(*session));
  session->play();
  auto seen = watch(*session, 3000);
  session->set_sampling({0.0F, 0, 1.0F});
  const std::uint64_t then = session->status().generated;
  EXPECT_EQ(session->sampling(), (SamplingParams{0.0F, 0, 1.0F}));
  for (const Observation& o : watch(*session, then)) seen.push_back(o);

  Offline offline;
  SamplingParams now;
  std::uint64_t changed = 0;
  for (const Observation& o : seen) {
    if (o.from_clip) continue;
    if (offline.codes(o.codes.size(), now) == o.codes) continue;
    ASSERT_EQ(changed, 0U) << "differs at " << o.first << " too";
    changed = o.first - 1;  // one sample of silence comes before
    offline.step_back();
    now.temperature = 0;
    ASSERT_EQ(offline.codes(o.codes.size(), now), o.codes) << "at " << o.first;
  }
  EXPECT_GT(changed, 0U) << "the control had no effect";
  EXPECT_LE(changed, then + 2 * 128);
}

TEST_F(SessionTest, AModelIsOpenedWithTheRateAndEncodingThatItDoesNotSay) {
  LoadOptions load;
  load.sample_rate = 8000;
  load.encoding = Encoding::linear8;
  session->open_model(model_path(), load);
  ASSERT_TRUE(within(20, [&] { return session->status().activity == Activity::ready; }));
  ASSERT_NE(session->model(), nullptr);
  EXPECT_EQ(session->model()->config().sample_rate, 8000);
  EXPECT_EQ(session->model()->config().encoding, Encoding::linear8);
}

TEST_F(SessionTest, ABadModelIsSaidAndTheSessionGoesOn) {
  session->open_model("/nowhere/none.safetensors");
  ASSERT_TRUE(wait_for_message("none.safetensors"));
  EXPECT_TRUE(session->status().message_is_error);
  EXPECT_TRUE(within(2, [&] { return session->status().activity == Activity::empty; }));
  EXPECT_EQ(session->model(), nullptr);
  session->play();
  session->again();
  session->start_recording(world.folder() / "nothing.wav");
  EXPECT_TRUE(wait_for_message("open a model first"));

  ASSERT_TRUE(bring_up(*session));
  EXPECT_TRUE(grows());
  session->open_model(clip);  // no model either
  EXPECT_TRUE(wait_for_message("short.wav"));
  EXPECT_TRUE(session->status().message_is_error);
  EXPECT_NE(session->model(), nullptr) << "the model before goes on";
  EXPECT_TRUE(grows());
}

TEST_F(SessionTest, ABadClipIsSaidAndTheSessionGoesOn) {
  const std::filesystem::path bad = world.folder() / "bad.wav";
  std::ofstream(bad) << "not a sound";
  session->open_clip(bad);
  session->open_model(model_path());
  ASSERT_TRUE(wait_for_message("bad.wav"));
  EXPECT_TRUE(within(10, [&] { return session->status().activity == Activity::ready; }));
  EXPECT_TRUE(session->clip_path().empty());
  session->play();
  EXPECT_TRUE(grows()) << "from silence";

  session->open_clip(clip);
  ASSERT_TRUE(within(20, [&] { return session->clip_path() == clip; }));
  session->open_clip(bad);
  ASSERT_TRUE(wait_for_message("bad.wav"));
  EXPECT_EQ(session->clip_path(), clip) << "the clip before stays";
  EXPECT_TRUE(grows());
  session->clear_clip();
  EXPECT_TRUE(within(10, [&] { return session->clip_path().empty(); }));
  EXPECT_TRUE(grows());
}

TEST_F(SessionTest, AnUnknownDeviceIsSaidAndTheSessionGoesOn) {
  ASSERT_TRUE(bring_up(*session));
  session->play();
  session->set_device("tuba");
  ASSERT_TRUE(within(10, [&] { return session->status().message_is_error; }));
  EXPECT_TRUE(grows());
}

TEST_F(SessionTest, AbsorbingCanBeCancelled) {
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  session->open_clip(long_clip());
  ASSERT_TRUE(within(20, [&] {
    const SessionStatus s = session->status();
    return s.activity == Activity::prefilling && s.progress > 0;
  }));
  EXPECT_TRUE(grows()) << "the voice before plays on meanwhile";
  EXPECT_LT(session->status().progress, 1);
  const auto asked = Clock::now();
  session->cancel();
  EXPECT_TRUE(wait_for_message("Cancelled."));
  EXPECT_TRUE(within(2, [&] { return session->status().activity == Activity::ready; }));
  EXPECT_LT(seconds_since(asked), at_most(2));
  EXPECT_EQ(session->clip_path(), clip);
  EXPECT_TRUE(grows());
}

TEST_F(SessionTest, ObservationsAgreeWithEachOther) {
  constexpr int layer = 0;
  session->set_tap_layer(layer);
  session->set_observing(true);
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  const auto seen = watch(*session, 8000);
  EXPECT_EQ(session->status().dropped_observations, 0U);
  const NetworkView& net = session->model()->network();
  const auto tier_of = [&](std::size_t l) {
    return net.tiers[static_cast<std::size_t>(net.layers[l].tier)];
  };
  const auto d_inner = static_cast<std::size_t>(tier_of(layer).d_inner);
  ASSERT_TRUE(seen.front().from_clip) << "the clip comes first";
  std::uint64_t position = 0, tap_step = 0;
  std::vector<std::uint64_t> steps(net.layers.size(), 0);
  bool generated = false;
  for (const Observation& o : seen) {
    SCOPED_TRACE("position " + std::to_string(o.first));
    ASSERT_EQ(o.first, position);
    position += o.codes.size();
    EXPECT_EQ(o.generation, seen.front().generation);
    EXPECT_FALSE(o.from_clip && generated) << "a clip after generated samples";
    generated = !o.from_clip;
    EXPECT_EQ(o.log_prob.size(), o.from_clip ? 0 : o.codes.size());
    EXPECT_EQ(o.entropy.size(), o.log_prob.size());
    for (const float x : o.log_prob) EXPECT_TRUE(x <= 1e-5F && std::isfinite(x)) << x;
    for (const float x : o.entropy) EXPECT_TRUE(x >= 0 && x < 5.546F) << x;
    ASSERT_EQ(o.layers.size(), net.layers.size());
    for (std::size_t l = 0; l < steps.size(); ++l) {
      const LayerSummary& s = o.layers[l];
      steps[l] += static_cast<std::uint64_t>(s.steps);
      EXPECT_EQ(steps[l], position / static_cast<std::uint64_t>(tier_of(l).stride))
          << "layer " << l;
      if (s.steps == 0) continue;
      EXPECT_TRUE(0 <= s.min && s.min <= s.mean && s.mean <= s.max) << "layer " << l;
    }
    if (o.from_clip && o.tap_layer == -1 && tap_step == 0)
      continue;  // only the end of a long clip has it
    ASSERT_EQ(o.tap_layer, layer);
    if (tap_step == 0) tap_step = o.tap_first_step;
    ASSERT_EQ(o.tap_steps, o.layers[layer].steps);
    ASSERT_EQ(o.tap_rows().size(), d_inner * static_cast<std::size_t>(o.tap_steps));
    EXPECT_EQ(o.tap_first_step, tap_step);
    EXPECT_EQ(tap_step, o.first);  // a layer of the outermost tier
    tap_step += static_cast<std::uint64_t>(o.tap_steps);
    double sum = 0;
    for (const float x : o.tap_rows()) sum += x;
    EXPECT_NEAR(sum / static_cast<double>(o.tap_rows().size()), o.layers[layer].mean, 1e-4);
    const std::span rows = o.tap_rows();
    const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
    EXPECT_EQ(*low, o.layers[layer].min);
    EXPECT_EQ(*high, o.layers[layer].max);
    if (HasFailure()) break;
  }
  EXPECT_TRUE(generated);
  EXPECT_GT(tap_step, position / 2);
}

TEST_F(SessionTest, WhatIsSetWhileAModelLoadsGoesBeforeWhatTheModelWants) {
  ControlChoice command_line;
  command_line.say(ControlId::top_p, 0.5);
  command_line.say(ControlId::temperature, 0.6);
  session->set(ControlId::top_p, 0.9);  // before it was asked for
  session->open_model(model_path(), {}, command_line);
  session->set(ControlId::temperature, 0.35);
  ASSERT_TRUE(within(20, [&] { return session->status().activity == Activity::ready; }));
  EXPECT_EQ(session->control(ControlId::temperature).real, 0.35);
  EXPECT_EQ(session->control(ControlId::top_p).real, 0.5);
  EXPECT_EQ(session->control(ControlId::top_k).real, session->model()->config().sampling.top_k);
}

TEST_F(SessionTest, AStopWithdrawsARecordingThatHasNotBegun) {
  session->open_clip(long_clip());
  session->open_model(model_path());
  ASSERT_TRUE(within(20, [&] { return session->status().activity == Activity::prefilling; }));
  const std::filesystem::path file = world.folder() / "take.wav";
  session->start_recording(file);
  session->stop_recording();
  session->clear_clip();  // ends the absorbing, not the opening of the model
  ASSERT_TRUE(within(20, [&] { return session->status().activity == Activity::ready; }));
  ASSERT_NE(session->model(), nullptr);
  EXPECT_TRUE(session->clip_path().empty());
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(session->status().recording);
  session->play();
  EXPECT_TRUE(grows());
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(SessionTest, ARecordingHoldsTheVerySamples) {
  session->set_observing(true);
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  auto seen = watch(*session, 2000);
  const std::filesystem::path file = world.folder() / "take.wav";
  session->start_recording(file);
  ASSERT_TRUE(within(5, [&] { return session->status().recording; }));
  EXPECT_EQ(session->status().recording_path, file);
  for (const Observation& o : watch(*session, 12000)) seen.push_back(o);
  EXPECT_GT(session->status().recorded_seconds, 0.3);
  session->stop_recording();
  for (const Observation& o : watch(*session, 4000)) seen.push_back(o);
  ASSERT_TRUE(wait_for_message("Recorded "));
  EXPECT_FALSE(session->status().recording);

  const Clip take = load_clip(file, 16000);
  EXPECT_EQ(take.source_rate, 16000);
  EXPECT_GT(take.samples.size(), 11000U);
  const std::vector<std::uint8_t> played = codes_of(seen);
  const std::vector<std::uint8_t> taken = encode(take.samples, Encoding::mulaw8);
  EXPECT_NE(std::search(played.begin(), played.end(), taken.begin(), taken.end()), played.end());
}

// The model waits while a clip is heard: what is recorded goes on, sample for sample, as if nothing
// had been.
TEST_F(SessionTest, AnAuditionLeavesWhatIsDrawnAndRecordedAlone) {
  session->audition(clip, Session::Part::end);
  EXPECT_TRUE(wait_for_message("once a model is open"));
  session->set_observing(true);
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  watch(*session, 2000);
  const std::filesystem::path file = world.folder() / "take.wav";
  session->start_recording(file);
  ASSERT_TRUE(within(5, [&] { return session->status().recording; }));
  watch(*session, 4000);
  session->audition(long_clip(), Session::Part::end);
  ASSERT_TRUE(within(20, [&] { return session->status().auditioning; }));
  EXPECT_TRUE(stands_still());
  EXPECT_TRUE(session->status().playing);
  session->stop_audition();
  EXPECT_FALSE(session->status().auditioning);
  watch(*session, 12000);
  session->stop_recording();
  ASSERT_TRUE(wait_for_message("Recorded "));

  Offline offline(clip);  // not what was observed: a full queue drops observations
  const std::vector<std::uint8_t> played = offline.codes(session->status().generated);
  const std::vector<std::uint8_t> taken = encode(load_clip(file, 16000).samples, Encoding::mulaw8);
  EXPECT_GT(taken.size(), 12000U);
  EXPECT_NE(std::search(played.begin(), played.end(), taken.begin(), taken.end()), played.end());

  session->audition(world.folder() / "missing.wav", Session::Part::beginning);
  EXPECT_TRUE(wait_for_message("missing.wav"));
  EXPECT_FALSE(session->status().auditioning);
}

TEST_F(SessionTest, ItCanGoAwayAtAnyMoment) {
  const std::filesystem::path noise = long_clip();
  for (const auto wait : {0ms, 1ms, 5ms, 20ms, 60ms, 150ms, 300ms, 600ms}) {
    auto other = std::make_unique<Session>(SessionOptions{});
    other->set_observing(true);
    other->open_clip(noise);
    other->open_model(model_path());
    other->play();
    std::this_thread::sleep_for(wait);
    const auto going = Clock::now();
    other.reset();
    EXPECT_LT(seconds_since(going), at_most(2)) << "after " << wait.count() << " ms";
  }
  ASSERT_TRUE(bring_up(*session, clip));
  session->play();
  session->start_recording(world.folder() / "unfinished.wav");
  ASSERT_TRUE(within(5, [&] { return session->status().recorded_seconds > 0.1; }));
  session->again();
  const auto going = Clock::now();
  session.reset();
  EXPECT_LT(seconds_since(going), at_most(2));
  EXPECT_GT(load_clip(world.folder() / "unfinished.wav", 16000).seconds(), 0.1);
}

}  // namespace
}  // namespace mambo
