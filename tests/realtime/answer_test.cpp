// Listening to an input, and what the model answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <thread>

#include "app/control/performance.h"
#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/live/listener.h"
#include "app/live/session.h"
#include "app/offline/replay.h"
#include "fake_input.h"
#include "kernels/backends.h"
#include "listen.h"
#include "model/sha256.h"
#include "model/voice.h"
#include "sound_server.h"
#include "tests/failing_engine.h"
#include "tests/model/temp_folder.h"
#include "tests/realtime/sanitized.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::bring_up;
using testing::FailingEngine;
using testing::FakeInput;
using testing::tone;
using testing::within;
namespace fs = std::filesystem;

class Source final : public ReplaySource {
 public:
  std::shared_ptr<const Model> model(const PlayedProgram& p) override {
    return Model::load(p.model_path);
  }
  std::vector<std::uint8_t> clip(const PlayedProgram& p, const Model& model) override {
    return encode(load_clip(p.clip_path, p.sample_rate).samples, model.config().encoding);
  }
  std::shared_ptr<const Engine> engine(const PlayedEngine& /*played*/,
                                       const Model& model) override {
    return make_engine(model.network(), "cpu");
  }
};

class Answer : public ::testing::Test {
 protected:
  void start(const FakeInput& input, SessionOptions options = {}) {
    if (!options.engines) options.backend = "cpu";
    options.input = "by hand";
    options.inputs = input.opener();
    session = std::make_unique<Session>(options);
    ASSERT_TRUE(bring_up(*session, clip));
    ASSERT_TRUE(within(10, [&] { return session->status().input.device == "by hand"; }));
    session->play();
  }
  bool pass(std::uint64_t samples) {
    const std::uint64_t to = session->status().generated + samples;
    return within(60, [&] { return session->status().generated >= to; });
  }
  bool says(const std::string& part) {
    return within(20, [&] { return session->status().message.find(part) != std::string::npos; });
  }
  void listen() {
    EXPECT_TRUE(session->listen(true));
    ASSERT_TRUE(within(10, [&] { return session->status().input.listening; }));
    std::this_thread::sleep_for(20ms);  // the listener's thread has heard of it
  }
  void answer() {
    EXPECT_TRUE(session->listen(false));
    ASSERT_TRUE(within(10, [&] { return !session->status().input.listening; }));
  }
  void record() {
    session->start_recording(take);
    ASSERT_TRUE(within(10, [&] { return session->status().recording; }));
  }
  Performance stop() {
    session->stop_recording();
    EXPECT_TRUE(says("Its performance is take.performance.jsonl.")) << session->status().message;
    return read_performance(performance_path(take));
  }
  // Drawn again it is the recording, bit for bit.
  void expect_repeats(const Performance& p) {
    Source source;
    RenderEvents quiet;
    std::vector<float> samples;
    replay(p, source, quiet,
           [&](std::span<const float> s) { samples.insert(samples.end(), s.begin(), s.end()); });
    WriterOptions options;
    options.rate = p.programs.front().sample_rate;
    options.comment = recording_comment(p.programs.front().model_name);
    options.replace = Replace::any();
    const fs::path path = world.folder() / "again.wav";
    {
      AudioWriter writer(path, options);
      writer.write(samples);
      writer.close();
    }
    EXPECT_TRUE(testing::read_file(path) == testing::read_file(take)) << "not the recording";
  }
  static std::size_t count(const Performance& p, ControlId id) {
    return static_cast<std::size_t>(std::count_if(
        p.events.begin(), p.events.end(), [&](const ControlEvent& e) { return e.id == id; }));
  }
  static std::uint64_t at(const Performance& p, ControlId id) {
    const auto found = std::find_if(p.events.begin(), p.events.end(),
                                    [&](const ControlEvent& e) { return e.id == id; });
    EXPECT_NE(found, p.events.end());
    return found == p.events.end() ? 0 : found->at;
  }

  testing::SoundWorld world;
  const fs::path clip = testing::short_clip(world.folder());
  const fs::path take = world.folder() / "take.wav";
  std::unique_ptr<Session> session;
};

// The codes of the answer are those of a voice that absorbed what came in at once, and what came in
// is as a clip would be: encoded at the model's rate.
TEST_F(Answer, GoesOnFromWhatCameInAsFromAClip) {
  const FakeInput input;
  start(input);
  session->set_observing(true);
  record();
  ASSERT_TRUE(pass(500));
  input.give(tone(16000, 0.3, 500));  // not meant: it is not listened to yet
  listen();
  const std::vector<float> said = tone(16000, 0.7);
  input.give(said);
  answer();
  ASSERT_TRUE(pass(4000));
  const Performance p = stop();
  expect_repeats(p);
  ASSERT_EQ(p.heard.size(), 1U);
  EXPECT_EQ(p.heard.front().path.filename(), "take.heard1.wav");
  const auto model = Model::load(p.programs.front().model_path);
  const std::vector<std::uint8_t> heard =
      load_clip_codes(p.heard.front().path, 16000, model->config().encoding).codes;
  EXPECT_EQ(heard, encode(said, model->config().encoding)) << heard.size();

  const std::uint64_t listen_at = at(p, ControlId::listen);
  EXPECT_EQ(at(p, ControlId::answer), listen_at + said.size());
  const auto engine = make_engine(model->network(), "cpu");
  Voice voice(*engine);
  voice.prefill(encode(load_clip(clip, 16000).samples, model->config().encoding));
  voice.set_sampling(session->sampling());
  voice.set_rng(1);
  std::vector<std::uint8_t> before(listen_at);
  voice.generate(before);
  voice.step(heard);
  std::vector<std::uint8_t> expected(3000);
  voice.generate(expected);
  const Clip recorded = load_clip(take, 16000);
  const std::uint64_t offset = at(p, ControlId::recording);
  const std::array<float, 256> table = decode_table(model->config().encoding);
  // Behind the 30 ms that both changes fade over; in a file of 16 bits.
  std::size_t differ = 0;
  for (std::size_t i = 600; i < said.size(); ++i) {
    const float wanted = table[heard[i]];
    if (std::fabs(recorded.samples.at(listen_at - offset + i) - wanted) > 1.0F / 32000) ++differ;
  }
  EXPECT_EQ(differ, 0U) << "what came in is not what the recording has";
  for (std::size_t i = 600; i < expected.size(); ++i) {
    const float wanted = table[expected[i]];
    const float found = recorded.samples.at(listen_at - offset + said.size() + i);
    if (std::fabs(found - wanted) > 1.0F / 32000) ++differ;
  }
  EXPECT_EQ(differ, 0U) << "not the answer";
  // The window sees what came in where it came.
  std::uint64_t seen = 0;
  for (const Observation* o = session->front(); o != nullptr; o = session->front()) {
    if (!o->from_clip && o->log_prob.empty()) {
      EXPECT_TRUE(o->layers.empty());
      seen += o->codes.size();
    }
    session->pop();
  }
  EXPECT_EQ(seen, said.size());
}

// At another rate, with two channels, controls and moments moved meanwhile; heard of twice, and
// once before the take begins, and once more when it ends.
TEST_F(Answer, EverythingRepeatsBitForBit) {
  const FakeInput input(44100, 2);
  start(input);
  const std::vector<float> mono = tone(44100, 0.5);
  std::vector<float> both;
  for (const float x : mono) both.insert(both.end(), {x, 0.5F * x});
  ASSERT_TRUE(pass(300));
  listen();
  input.give(both);
  answer();
  EXPECT_NEAR(session->status().input.heard_seconds, 0.5, 0.002);
  ASSERT_TRUE(pass(700));
  session->store(0);
  record();
  ASSERT_TRUE(pass(700));
  listen();
  session->set(ControlId::temperature, 0.6, 3000);
  session->set_layers(ControlId::delta_scale, kAllTargets, 0.5, 100);
  input.give(both);
  session->recall(0);
  session->set_layers(ControlId::forget, kAllTargets, 0.3);
  input.give(both);
  session->jump(200);
  answer();
  ASSERT_TRUE(pass(9000));
  session->again();
  listen();
  input.give(both);
  session->again();  // which ends it
  ASSERT_TRUE(within(10, [&] { return !session->status().input.listening; }));
  ASSERT_TRUE(pass(2000));
  session->listen(true);  // nothing comes
  std::this_thread::sleep_for(50ms);
  answer();
  ASSERT_TRUE(pass(500));
  listen();
  input.give(both);
  const Performance p = stop();  // while it listens
  EXPECT_EQ(count(p, ControlId::listen), 4U);
  EXPECT_EQ(count(p, ControlId::answer), 2U);
  EXPECT_EQ(count(p, ControlId::recall), 1U);
  expect_repeats(p);
  // Another file in its place is refused.
  fs::copy_file(clip, p.heard.front().path, fs::copy_options::overwrite_existing);
  Source source;
  const auto model = source.model(p.programs.front());
  EXPECT_THROW(source.heard(p.heard.front(), *model), Error);
}

// What was heard is known to the CPU that goes on.
TEST_F(Answer, AnEngineThatIsLostWhileItListensIsReplaced) {
  const FakeInput input;
  SessionOptions options;
  const FailingEngine* lost = nullptr;
  options.engines = [&](const NetworkView& net, const std::string& /*backend*/,
                        const EngineOptions& engine,
                        std::string* /*notice*/) -> std::unique_ptr<Engine> {
    if (lost != nullptr) return make_engine(net, "cpu", engine);
    auto failing = std::make_unique<FailingEngine>(net, engine, 1 << 30);
    lost = failing.get();
    return failing;
  };
  start(input, options);
  record();
  ASSERT_TRUE(pass(400));
  listen();
  input.give(tone(16000, 0.3));
  lost->lose();
  input.give(tone(16000, 0.3));
  ASSERT_TRUE(says("the CPU goes on"));
  answer();
  EXPECT_NEAR(session->status().input.heard_seconds, 0.6, 0.03);  // what was under way is lost
  ASSERT_TRUE(pass(2000));
  const Performance p = stop();
  EXPECT_EQ(count(p, ControlId::engine), 1U);
  expect_repeats(p);
}

// A second of silence between sounds, and none at either end: it would be answered with silence.
TEST_F(Answer, SilenceAtTheEndsIsNotAbsorbed) {
  const FakeInput input;
  start(input);
  listen();
  const std::vector<float> silence(16000, 0.0005F);
  const std::vector<float> said = tone(16000, 0.1);
  input.give(silence);
  input.give(said);
  input.give(silence);
  input.give(silence);
  input.give(said);
  input.give(silence);
  answer();
  EXPECT_NEAR(session->status().input.heard_seconds, 1.2, 0.025);
  listen();
  input.give(silence);
  answer();
  EXPECT_EQ(session->status().input.heard_seconds, 0);
  ASSERT_TRUE(pass(1000));
}

TEST_F(Answer, TheOutputIsSilentWhileItListensAndNoUnderrun) {
  const FakeInput input;
  start(input);
  ASSERT_TRUE(pass(2000));
  const std::uint64_t before = session->status().underruns;
  listen();
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(session->status().ring_ms, 0) << "what is drawn waits to be heard";
  const std::uint64_t generated = session->status().generated;
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(session->status().generated, generated);
  EXPECT_TRUE(session->status().playing);
  answer();  // nothing came: it goes on
  ASSERT_TRUE(pass(2000));
  EXPECT_EQ(session->status().underruns, before);
}

TEST_F(Answer, WithoutAnInputOneSentence) {
  const FakeInput input;
  SessionOptions options;
  options.backend = "cpu";
  options.inputs = input.opener();
  session = std::make_unique<Session>(options);
  ASSERT_TRUE(bring_up(*session, clip));
  EXPECT_FALSE(session->listen(true));
  EXPECT_EQ(session->status().message, "There is no input to listen to: choose one under Input.");
  EXPECT_TRUE(session->status().message_is_error);
  session->keep_heard(world.folder() / "kept.wav");
  EXPECT_TRUE(says("nothing has come in yet that could be kept"));
  EXPECT_FALSE(fs::exists(world.folder() / "kept.wav"));
  session->play();
  EXPECT_TRUE(pass(1000));
  session->set_input("by hand");
  EXPECT_TRUE(says("Input: by hand. Wear headphones: what loudspeakers play comes in as well."));
}

TEST_F(Answer, AnInputThatDoesNotOpenOrGoesAwayIsSaidAndThePlayGoesOn) {
  const FakeInput input;
  start(input);
  session->set_input("");
  ASSERT_TRUE(says("The input is closed."));
  session->set_input("tuba");
  ASSERT_TRUE(says("the audio input \"tuba\" does not open: no breath"));
  EXPECT_EQ(session->status().input.device, "");
  EXPECT_FALSE(session->listen(true));
  session->set_input("by hand");
  ASSERT_TRUE(within(10, [&] { return session->status().input.device == "by hand"; }));
  EXPECT_EQ(session->status().message, "Input: by hand.") << "the warning is given once";
  listen();
  input.give(tone(16000, 0.2));
  input.go_away();
  ASSERT_TRUE(says("The audio input by hand went away; choose one under Input."));
  ASSERT_TRUE(within(10, [&] { return !session->status().input.listening; }));
  EXPECT_NEAR(session->status().input.heard_seconds, 0.2, 0.001);
  ASSERT_TRUE(pass(1000));
  session->set_input("");
  ASSERT_TRUE(pass(1000));
}

TEST_F(Answer, TheLastMinuteIsMeteredAndKeptAsAClip) {
  const FakeInput input(8000);
  start(input);
  EXPECT_EQ(session->status().input.level_dbfs, -std::numeric_limits<double>::infinity());
  const std::vector<float> said = tone(8000, 0.5);
  input.give(said);
  ASSERT_TRUE(within(10, [&] { return session->status().input.kept_seconds >= 0.5; }));
  EXPECT_NEAR(session->status().input.level_dbfs, -6.0, 0.5);
  const fs::path kept = world.folder() / "kept.wav";
  for (const char* name : {"kept.wav", "kept-2.wav"}) {
    session->keep_heard(kept);
    ASSERT_TRUE(within(10, [&] { return session->status().input.clip.filename() == name; }))
        << session->status().message;
  }
  EXPECT_TRUE(says("Kept the last 0.5 s that came in as"));
  const Clip found = load_clip(kept, 8000);
  EXPECT_EQ(found.source_rate, 8000);
  ASSERT_EQ(found.samples.size(), said.size());
  for (std::size_t i = 0; i < said.size(); ++i) ASSERT_NEAR(found.samples[i], said[i], 1e-4) << i;
  session->keep_heard("/dev/null/kept.wav");
  EXPECT_TRUE(says("cannot write /dev/null/kept.wav")) << session->status().message;
}

TEST(Ear, WhatNobodyReadsIsCounted) {
  Ear ear;
  ear.prepare(48000, 2);
  const std::vector<float> block(2 * 4096, 0.25F);
  for (int i = 0; i < 20; ++i) ear.take(block.data(), 4096);
  EXPECT_EQ(ear.missing(), 20U * 4096 - 65536);
  std::vector<float> out(10);
  EXPECT_EQ(ear.read(out), 10U);
  EXPECT_EQ(out[3], 0.25F);
  const std::vector<float> sick = {NAN, 1, INFINITY, 0};
  Ear other;
  other.prepare(48000, 2);
  other.take(sick.data(), 2);
  other.take(nullptr, 1);
  ASSERT_EQ(other.read(out), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[static_cast<std::size_t>(i)], 0);
}

// ---- Against a private sound server ----

std::string input_message_of(const AudioInputRequest& request) {
  Ear ear;
  try {
    open_audio_input(request, ear);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(AudioInput, IsListedAndChosenByName) {
  MAMBO_NEEDS_SOUND_SERVER();
  testing::SoundServer server(16000, 1);
  ASSERT_EQ(server.problem(), "");
  const std::vector<AudioDeviceInfo> inputs = list_audio_inputs();
  EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(), [](const AudioDeviceInfo& d) {
    return d.name == "ALSA: pulse" && d.channels > 0 && d.default_rate > 0;
  }));
  EXPECT_EQ(input_message_of({"PuLSe"}), "");
  EXPECT_EQ(input_message_of({"tuba"}),
            "no audio input is called \"tuba\"; there are \"ALSA: pulse\", \"ALSA: default\"");
  EXPECT_EQ(input_message_of({"alsa"}),
            "\"alsa\" fits 2 audio inputs, and only one is wanted: \"ALSA: pulse\", "
            "\"ALSA: default\"");
  EXPECT_NO_THROW(expect_audio_input("default"));
  EXPECT_THROW(expect_audio_input("tuba"), Error);
}

TEST(AudioInput, WithoutAnyTheListIsEmptyAndOpeningSaysSo) {
  const testing::SoundWorld nothing;
  if (!list_audio_inputs().empty()) GTEST_SKIP() << "another host API than ALSA has inputs here";
  EXPECT_EQ(input_message_of({"default"}), "there is no audio input on this machine");
}

// Share of a tone in a sound: 1 where it is nothing else.
double share_of(std::span<const float> samples, double hz, double rate) {
  double re = 0;
  double im = 0;
  double all = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate;
    re += samples[i] * std::cos(phase);
    im += samples[i] * std::sin(phase);
    all += static_cast<double>(samples[i]) * samples[i];
  }
  return all > 0 ? 2 * (re * re + im * im) / (all * static_cast<double>(samples.size())) : 0;
}

// Sound that another program plays is what the model has heard; meanwhile nothing of its own comes
// out, and afterwards it does.
TEST(AnswerDevice, ASoundServersSourceIsHeardAndAnswered_timed) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  testing::SoundServer server(48000, 1);
  ASSERT_EQ(server.problem(), "");
  const fs::path file = server.folder() / "tone.wav";
  const std::vector<float> said = tone(48000, 1.5);
  {
    WriterOptions options;
    options.rate = 48000;
    AudioWriter writer(file, options);
    writer.write(said);
    writer.close();
  }
  SessionOptions options;
  options.backend = "cpu";
  options.input = "pulse";
  Session session(options);
  ASSERT_TRUE(bring_up(session, testing::short_clip(server.folder())));
  ASSERT_FALSE(session.status().silent) << session.status().message;
  ASSERT_TRUE(within(10, [&] { return session.status().input.device == "ALSA: pulse"; }))
      << session.status().message;
  session.play();
  std::this_thread::sleep_for(500ms);
  const fs::path take = server.folder() / "take.wav";
  session.start_recording(take);
  ASSERT_TRUE(within(10, [&] { return session.status().recording; }));
  ASSERT_TRUE(session.listen(true));
  ASSERT_TRUE(within(10, [&] { return session.status().input.listening; }));
  ASSERT_TRUE(within(10, [&] { return session.status().input.level_dbfs < -60; }))
      << "the model hears itself";
  {
    testing::Child player({"paplay", "-d", "mambo", file.string()}, server.folder() / "paplay.out",
                          server.folder() / "paplay.log");
    ASSERT_TRUE(within(20, [&] { return session.status().input.level_dbfs > -8; }));
    ASSERT_TRUE(within(20, [&] { return !player.running(); }));
  }
  session.listen(false);
  ASSERT_TRUE(within(10, [&] { return !session.status().input.listening; }));
  std::this_thread::sleep_for(500ms);
  session.stop_recording();
  ASSERT_TRUE(within(10, [&] { return !session.status().recording; }));
  ASSERT_TRUE(within(10, [&] { return fs::exists(performance_path(take)); }))
      << session.status().message;
  EXPECT_EQ(session.status().input.missing, 0U);
  const Performance p = read_performance(performance_path(take));
  ASSERT_EQ(p.heard.size(), 1U);
  const Clip heard = load_clip(p.heard.front().path, 16000);
  // The last of it is the tone: silence behind it is left out.
  ASSERT_GT(heard.seconds(), 1.45);
  const std::span<const float> end = std::span(heard.samples).last(22400);
  EXPECT_GT(share_of(end.first(16000), 330.7, 16000), 0.95);
  EXPECT_GT(share_of(end.last(4800), 330.7, 16000), 0.9);
}

TEST(AnswerDevice, AServerThatDiesWhileItListensIsSaid_timed) {
  MAMBO_NEEDS_REAL_TIME();
  MAMBO_NEEDS_SOUND_SERVER();
  testing::SoundServer server(48000, 1);
  ASSERT_EQ(server.problem(), "");
  SessionOptions options;
  options.backend = "cpu";
  options.input = "pulse";
  Session session(options);
  ASSERT_TRUE(bring_up(session, testing::short_clip(server.folder())));
  ASSERT_TRUE(within(10, [&] { return !session.status().input.device.empty(); }));
  session.play();
  ASSERT_TRUE(session.listen(true));
  ASSERT_TRUE(within(10, [&] { return session.status().input.kept_seconds > 0.5; }));
  EXPECT_TRUE(session.status().input.listening);
  server.kill();
  ASSERT_TRUE(within(20, [&] { return session.status().input.device.empty(); }));
  ASSERT_TRUE(within(20, [&] { return !session.status().input.listening; }));
  const std::uint64_t generated = session.status().generated;
  EXPECT_TRUE(within(20, [&] { return session.status().generated > generated + 2000; }))
      << "it plays on, silently";
}

}  // namespace
}  // namespace mambo
