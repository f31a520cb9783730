// The program from the outside: help, bad usage, and the output of each command.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "support.h"

namespace mambo {
namespace {

using testing::expect_one_line;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::small_model;
using testing::tone_clip;

TEST(CommandLine, EveryCommandHasHelpWithAnExample) {
  for (const char* command :
       {"gui", "play", "render", "probe", "eval", "ablate", "bench", "info", "devices"}) {
    const Outcome o = mambo({command, "--help"});
    EXPECT_EQ(o.code, 0) << command;
    EXPECT_NE(o.out.find("Example"), std::string::npos) << command;
    EXPECT_NE(o.out.find(std::string("\n  mambo ") + command), std::string::npos) << command;
    EXPECT_EQ(o.err, "") << command;
  }
  const Outcome all = mambo({"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_NE(all.out.find("render"), std::string::npos);
}

TEST(CommandLine, SaysItsVersion) {
  const Outcome o = mambo({"--version"});
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.out.rfind("mambo 0.", 0), 0U) << o.out;
}

TEST(CommandLine, NonsenseIsBadUsageInOneLine) {
  const Folder folder;
  const std::string clip = tone_clip(folder);
  const std::vector<std::vector<std::string>> cases = {
      {"bogus"},
      {"--bogus"},
      {"render", "extra"},
      {"render", "--seconds", "nan"},
      {"render", "--seconds", "-3"},
      {"render", "--seconds", "0"},
      {"render", "--seconds", "many"},
      {"render", "--count", "0"},
      {"render", "--count", "2.5"},
      {"render", "--rng-seed", "-1"},
      {"render", "--rng-seed", "1e3"},
      {"render", "--rng-seed", "18446744073709551616"},
      {"render", "--model", ""},
      {"render", "--seed-clip", ""},
      {"render", "--temperature", "-0.1"},
      {"render", "--temperature", "inf"},
      {"render", "--top-k", "1000"},
      {"render", "--top-p", "0"},
      {"render", "--top-p", "1.5"},
      {"render", "--rate", "3"},
      {"render", "--format", "mp3"},
      {"render", "--backend", "abacus"},
      {"render", "--weights", "int4"},
      {"render", "--threads", "-1"},
      {"render", "--stems", "--with-seed"},
      {"render", "--from", "3", "--to", "2"},
      {"render", "--from-silence", "--seed-clip", clip},
      {"render", "--from-silence", "--with-seed", "--model", small_model()},
      {"render", "--recipe", "x.json", "--seconds", "3"},
      {"render", "-m", small_model(), "-s", clip, "-o", (folder / "a.mp3").string()},
      {"render", "-m", small_model(), "-s", clip, "-o", (folder / "a.wav").string(), "--format",
       "ogg"},
      {"--model", "x", "render"},
      {"eval"},
      {"ablate"},
      {"probe", "--audio", clip},
      {"probe", "-m", small_model(), "--audio", clip, "-o", (folder / "p").string(), "--layers",
       "up.9.9"},
      {"bench", "dance"},
      {"bench", "step", "--samples", "0"},
      {"bench", "step", "--shape", "cube"},
      {"bench", "step", "--shape", "piano", "--model", small_model()},
      {"bench", "step", "--plan", "by-hand"},
      {"bench", "scan", "--states", "65"},
      {"gui", "--after", "-1"},
      {"gui", "--temperature", "11"},
      {"gui", "--top-k", "257"},
      {"gui", "--top-p", "0"},
      {"play", "--bogus"},
      {"play", "--latency", "5"},
      {"play", "--model-rate", "3"},
      {"gui", "--encoding", "alaw"},
      {"info", "--encoding", "alaw"},
      {"devices", "--loud"},
  };
  for (const auto& words : cases) {
    const Outcome o = mambo(words);
    std::string said;
    for (const std::string& word : words) said += word + " ";
    EXPECT_EQ(o.code, 2) << said << o.err;
    EXPECT_EQ(o.out, "") << said;
    expect_one_line(o.err);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"tone.wav"});
}

TEST(CommandLine, AWordThatIsNoneOfThoseThereAreIsToldWhichThereAre) {
  const struct {
    std::vector<std::string> words;
    const char* says;
  } cases[] = {
      {{"bench", "dance"}, "what: expected step, prefill, scan, batch or all, found dance"},
      {{"render", "--backend", "abacus"}, "--backend: expected cpu, cuda or auto, found abacus"},
      {{"render", "--weights", "int4"}, "--weights: expected half or f32, found int4"},
  };
  for (const auto& c : cases) {
    const Outcome o = mambo(c.words);
    EXPECT_NE(o.err.find(c.says), std::string::npos) << o.err;
  }
}

TEST(CommandLine, WhatCannotBeDoneIsFailureInOneLine) {
  const Folder folder;
  const std::string clip = tone_clip(folder);
  std::ofstream(folder / "text.txt") << "a text";
  const std::string text = (folder / "text.txt").string();
  const std::string out = (folder / "out.wav").string();
  const struct {
    std::vector<std::string> words;
    const char* says;
  } cases[] = {
      {{"info", "--model", "/nowhere/m.safetensors"}, "/nowhere/m.safetensors"},
      {{"info", "--model", text}, "text.txt"},
      {{"render", "-m", small_model(), "-s", text, "-o", out}, "expected a sound file"},
      {{"render", "-m", small_model(), "-s", "/nowhere/a.wav", "-o", out},
       "no such file or folder"},
      {{"render", "-m", small_model(), "-s", clip, "-o", text + "/a.wav"},
       "cannot make the folder"},
      {{"render", "-m", small_model(), "-s", clip, "-o", "/proc/a.wav"},
       "cannot write /proc/a.wav"},
      {{"render", "-m", small_model(), "-s", clip, "-o", out, "--from", "9"}, "inside its 0.500 s"},
      {{"render", "--recipe", text}, "expected a recipe"},
      {{"eval", "-m", small_model(), "-a", clip, text}, "expected a sound file"},
      {{"probe", "-m", small_model(), "-a", text, "-o", out}, "expected a sound file"},
      {{"probe", "-m", small_model(), "-a", clip, "-o", "/proc/p"}, "/proc/p"},
      {{"play", "-m", small_model(), "--device", "tuba"}, "audio device"},
  };
  for (const auto& c : cases) {
    const Outcome o = mambo(c.words);
    EXPECT_EQ(o.code, 1) << o.err;
    EXPECT_NE(o.err.find(c.says), std::string::npos) << o.err;
    EXPECT_EQ(o.err.find("running silently"), std::string::npos) << "but it ended: " << o.err;
    expect_one_line(o.err);
  }
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"text.txt", "tone.wav"}));
}

TEST(CommandLine, WithoutADisplayTheWindowSaysWhatToDo) {
  for (const auto& words : {std::vector<std::string>{}, std::vector<std::string>{"gui"}}) {
    const Outcome o = mambo(words, "unset DISPLAY WAYLAND_DISPLAY");
    EXPECT_EQ(o.code, 1);
    EXPECT_NE(o.err.find("mambo render"), std::string::npos) << o.err;
    expect_one_line(o.err);
  }
}

TEST(CommandLine, SamplingThatNoModelMayHaveIsRefusedByFileAndKey) {
  const Folder folder;
  const std::string model = (folder / "wrong.safetensors").string();
  testing::copy_with_about(small_model(), model, {{"defaults", {{"top_k", "many"}}}});
  const std::string out = (folder / "a.wav").string();
  for (const auto& words :
       {std::vector<std::string>{"info", "-m", model},
        std::vector<std::string>{"render", "-m", model, "--from-silence", "-o", out},
        std::vector<std::string>{"play", "-m", model, "--from-silence", "--seconds", "0.1"}}) {
    const Outcome o = mambo(words);
    EXPECT_EQ(o.code, 1) << words[0];
    EXPECT_NE(o.err.find(model), std::string::npos) << o.err;
    EXPECT_NE(
        o.err.find("about.defaults: top_k: expected an integer from 0 to 256, found \"many\""),
        std::string::npos)
        << o.err;
    expect_one_line(o.err);
  }
}

TEST(CommandLine, HelpSaysWhoseSamplingIsTheDefault) {
  for (const char* command : {"render", "play"}) {
    const std::string help = mambo({command, "--help"}).out;
    EXPECT_NE(help.find("the model's own, or 1"), std::string::npos) << help;
    EXPECT_NE(help.find("the model's own, or 0"), std::string::npos) << help;
  }
  const std::string window = mambo({"gui", "--help"}).out;
  for (const char* flag : {"--temperature", "--top-k", "--top-p"}) {
    EXPECT_NE(window.find(flag), std::string::npos) << flag;
  }
}

// A folder does not record its sound format: options supply it.
TEST(CommandLine, PlayTakesRateAndEncodingOfAnEcosystemFolder) {
  const auto j = mambo({"play", "-m", testing::golden("hf-flat"), "--model-rate", "8000",
                        "--encoding", "linear8", "--from-silence", "--seconds", "0.3", "--json"})
                     .json();
  EXPECT_GT(j.at("samples"), 0);
  if (j.at("silent").get<bool>()) {
    EXPECT_EQ(j.at("device_rate_hz"), 8000);  // the timer goes at the model's rate
  }
  const auto all = mambo({"play", "--help"}).out + mambo({"gui", "--help"}).out;
  EXPECT_NE(all.find("--model-rate"), all.rfind("--model-rate")) << "one of them does not take it";
}

// As in a container that has ALSA's library without its data, where PortAudio itself fails.
TEST(CommandLine, WithoutAlsasConfigurationThereIsNoSoundCard) {
  const std::string setup = "export ALSA_CONFIG_PATH=/nonexistent";
  const Outcome list = mambo({"devices"}, setup);
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_NE(list.out.find("no sound card"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("Audio inputs\n  none: there is nothing to listen to."),
            std::string::npos)
      << list.out;
  const Outcome named = mambo({"play", "--device", "tuba", "--seconds", "0.1"}, setup);
  EXPECT_EQ(named.code, 1);
  EXPECT_NE(named.err.find("ALSA's configuration"), std::string::npos) << named.err;
}

TEST(CommandLine, DevicesListsAtLeastTheProcessor) {
  const auto j = mambo({"devices", "--json"}).json();
  ASSERT_TRUE(j.at("audio").is_array());
  ASSERT_TRUE(j.at("audio_inputs").is_array());
  bool cpu = false;
  for (const auto& d : j.at("compute")) cpu = cpu || (d.at("backend") == "cpu" && d.at("usable"));
  EXPECT_TRUE(cpu);
  const Outcome people = mambo({"devices"});
  EXPECT_EQ(people.code, 0);
  if (j.at("audio").empty()) {
    EXPECT_NE(people.out.find("no sound card"), std::string::npos) << people.out;
  }
}

// Either the machine has a GPU that the build can use, or one line says what is missing.
TEST(CommandLine, CudaComputesOrSaysWhyNot) {
  std::string reason;
  bool usable = false;
  const auto devices = mambo({"devices", "--json"}).json();
  for (const auto& d : devices.at("compute")) {
    if (d.at("backend") != "cuda") continue;
    usable = usable || d.at("usable");
    if (!d.at("usable")) reason = d.at("reason");
  }
  const Outcome o = mambo({"info", "-m", small_model(), "--backend", "cuda", "--json"});
  if (usable) {
    EXPECT_EQ(o.json().at("engine").get<std::string>().rfind("CUDA, ", 0), 0U);
    return;
  }
  EXPECT_NE(reason, "");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find(reason), std::string::npos) << o.err;
  expect_one_line(o.err);
  const Outcome automatic = mambo({"info", "-m", small_model(), "--json"});
  EXPECT_EQ(automatic.err, "") << "a machine without a GPU is nothing to talk about";
  EXPECT_EQ(automatic.json().at("engine").get<std::string>().rfind("CPU, ", 0), 0U);
}

TEST(CommandLine, BenchPromisesItsKeys) {
  const auto step =
      mambo({"bench", "step", "-m", small_model(), "--samples", "2000", "--json"}).json();
  const auto prefill =
      mambo({"bench", "prefill", "-m", small_model(), "--seconds", "1", "--json"}).json();
  for (const auto& j : {step, prefill}) {
    EXPECT_GT(j.at("us_per_sample_mean"), 0);
    EXPECT_GE(j.at("us_per_sample_p99"), j.at("us_per_sample_p50"));
    EXPECT_GT(j.at("real_time_factor"), 0);
    EXPECT_NEAR(j.at("real_time_factor").get<double>() * j.at("us_per_sample_mean").get<double>() *
                    j.at("sample_rate_hz").get<double>(),
                1e6, 1);
  }
  EXPECT_EQ(step.at("samples"), 2000);
  EXPECT_TRUE(std::isfinite(step.at("tap_cost_percent").get<double>()));
  EXPECT_EQ(prefill.at("seconds_of_audio"), 1.0);
  const auto batch = mambo({"bench", "batch", "-m", small_model(), "--samples", "2000", "--streams",
                            "3", "--json"})
                         .json();
  EXPECT_EQ(batch.at("streams"), 3);
  EXPECT_GT(batch.at("samples_per_second"), 0);
  const auto chunks =
      mambo({"bench", "step", "--shape", "piano", "--samples", "1000", "--chunk", "100", "--json"})
          .json();
  EXPECT_EQ(chunks.at("samples_per_call"), 100);
  EXPECT_EQ(chunks.at("samples"), 1000);
  EXPECT_EQ(chunks.at("model"), "piano (random weights)");
  const auto scan = mambo({"bench", "scan", "-m", small_model(), "--channels", "48", "--states",
                           "5", "--steps", "1000", "--json"})
                        .json();
  EXPECT_EQ(scan.at("d_inner"), 48);
  EXPECT_EQ(scan.at("d_state"), 5);
  EXPECT_EQ(scan.at("steps"), 1000);
  EXPECT_GT(scan.at("giga_channel_steps_per_second"), 0);
  EXPECT_NEAR(scan.at("ms").get<double>(), 1e3 * scan.at("wall_seconds").get<double>(), 1e-9);
  const auto all =
      mambo({"bench", "all", "-m", small_model(), "--samples", "500", "--seconds", "0.1", "--json"})
          .json();
  for (const char* part : {"step", "prefill", "scan", "batch"})
    EXPECT_TRUE(all.contains(part)) << part;
  const Outcome people = mambo({"bench", "step", "-m", small_model(), "--samples", "100"});
  EXPECT_NE(people.out.find("us per sample p99"), std::string::npos) << people.out;
}

// Observing costs little; three attempts, because other processes may use the machine.
TEST(CommandLine, TheTapCostsLessThanFivePercentOfAStep_timed) {
  double least = 100;
  for (int i = 0; i < 3 && least >= 5; ++i) {
    const auto j =
        mambo({"bench", "step", "-m", testing::piano_model(), "--samples", "100", "--json"}).json();
    least = std::min(least, j.at("tap_cost_percent").get<double>());
  }
  EXPECT_LT(least, 5);
}

}  // namespace
}  // namespace mambo
