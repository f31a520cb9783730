// Controls and performances as the program shows and takes them, and along a rendered take.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "app/control/performance.h"
#include "app/files/codes.h"
#include "app/offline/render.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"
#include "support.h"

namespace mambo {
namespace {

using testing::expect_one_line;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::small_model;

TEST(ControlsCommand, ListsTheTable) {
  const Outcome people = mambo({"controls"});
  EXPECT_EQ(people.code, 0) << people.err;
  const Outcome machines = mambo({"controls", "--json"});
  EXPECT_EQ(machines.code, 0) << machines.err;
  const auto all = machines.json().at("controls");
  ASSERT_EQ(all.size(), kControls);
  for (std::size_t i = 0; i < kControls; ++i) {
    const ControlSpec& spec = kControlTable[i];
    EXPECT_NE(people.out.find(spec.key), std::string::npos);
    EXPECT_EQ(all[i].at("key"), spec.key);
    EXPECT_EQ(all[i].at("help"), spec.help);
  }
  const auto at = [&](ControlId id) { return all[static_cast<std::size_t>(id)]; };
  EXPECT_EQ(at(ControlId::temperature).at("max"), 10);
  EXPECT_EQ(at(ControlId::rng_seed).at("max"), UINT64_MAX);
  EXPECT_EQ(at(ControlId::level).at("off"), -60);
  const auto of = [&](const std::string& key) {
    return *std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.at("key") == key; });
  };
  EXPECT_FALSE(of("level").contains("targets"));
  EXPECT_EQ(of("delta_scale").at("targets"), target_words);
  EXPECT_EQ(of("delta_scale").at("knee"), 1.0 / 16);
  EXPECT_TRUE(of("hold_B").at("ramps").get<bool>());
  EXPECT_EQ(of("forget").at("kind"), "impulse");
  EXPECT_EQ(of("forget").at("max"), 1);
  EXPECT_NE(people.out.find("happens, 0 to 1"), std::string::npos);
}

// The range of each option is the table's, whichever command has it.
TEST(ControlsCommand, OptionsHaveTheirRanges) {
  for (const ControlSpec& spec : kControlTable) {
    if (!spec.ramps() || spec.has_targets()) continue;
    std::string name = std::string("--") + spec.key;
    std::replace(name.begin(), name.end(), '_', '-');
    const Outcome o = mambo({"play", name, std::to_string(spec.max + 1)});
    EXPECT_EQ(o.code, 2) << o.err;
    expect_one_line(o.err);
    EXPECT_NE(o.err.find("expected " + range_text(spec)), std::string::npos) << o.err;
  }
}

class PerformanceCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = Model::load(small_model());
    p.version = "0.1.0";
    p.file = "take.wav";
    p.file_sha256 = std::string(64, '0');
    p.recorded_samples = 700;
    PlayedProgram program;
    program.model_path = small_model();
    program.model_name = model->config().name;
    program.model_sha256 = model->hash();
    program.sample_rate = model->config().sample_rate;
    program.encoding = model->config().encoding;
    program.engine = {"cpu", "half", "CPU"};
    p.programs = {program};
    add(0, ControlId::program, 0);
    add(50, ControlId::recording, 0);
    add(333, ControlId::temperature, 0.2);
    write();
  }
  void add(std::uint64_t at, ControlId id, double value) {
    ControlEvent e;
    e.at = at;
    e.id = id;
    e.value.real = value;
    p.events.push_back(e);
  }
  void write() const { write_performance(file, p); }
  Outcome render(std::vector<std::string> more) const {
    more.insert(more.begin(), {"render", "--performance", file});
    return mambo(more);
  }

  Folder folder;
  const std::string file = (folder / "take.performance.jsonl").string();
  const std::string out = (folder / "again.wav").string();
  Performance p;
};

TEST_F(PerformanceCommand, DrawsItAndSaysWhetherItIsTheRecording) {
  Outcome o = render({"-o", out});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("not bit for bit the recording take.wav"), std::string::npos) << o.err;
  const std::vector<float> samples = read_sound(out).samples;
  ASSERT_EQ(samples.size(), 700U);

  const auto model = Model::load(small_model());
  const auto engine = make_engine(model->network(), "cpu");
  Voice voice(*engine);
  const std::uint8_t silence = silence_code;
  voice.prefill({&silence, 1});
  std::vector<std::uint8_t> codes(750);
  voice.generate(std::span(codes).first(333));
  voice.set_sampling({0.2F, 0, 1.0F});
  voice.generate(std::span(codes).subspan(333));
  codes.erase(codes.begin(), codes.begin() + 50);
  EXPECT_TRUE(encode(samples, model->config().encoding) == codes);

  o = render({"-o", (folder / "b.wav").string(), "--json"});
  p.file_sha256 = o.json().at("sha256").get<std::string>();
  EXPECT_FALSE(o.json().at("bit_for_bit").get<bool>());
  write();
  o = render({"-o", out, "--force"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.err.rfind("bit for bit the recording take.wav", 0), 0U) << o.err;
}

TEST_F(PerformanceCommand, RefusesInOneLine) {
  ASSERT_EQ(render({"-o", out}).code, 0);
  const auto refused = [&](const std::vector<std::string>& more, int code,
                           const std::string& part) {
    const Outcome o = render(more);
    EXPECT_EQ(o.code, code) << o.err;
    expect_one_line(o.err);
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err;
  };
  const std::string fresh = (folder / "fresh.wav").string();
  refused({"-o", out}, 1, "--force");
  refused({"-o", fresh, "--temperature", "1"}, 2, "leave out --temperature");
  refused({"-o", fresh, "--rng-seed", "1"}, 2, "leave out --rng-seed");
  refused({"-o", fresh, "--recipe", "x.json"}, 2, "leave out --recipe");
  refused({"-o", fresh, "--seed-clip", "x.wav"}, 2, "leave out --seed-clip");
  p.programs[0].model_sha256[0] ^= 1;
  write();
  refused({"-o", fresh}, 1, "is not the one of the performance: expected SHA-256");
  p.programs[0].model_path = "/nowhere/m.safetensors";
  write();
  refused({"-o", fresh}, 1, "--model names the performance's");
  EXPECT_FALSE(std::filesystem::exists(fresh));
}

// What a stranger's file names is written nowhere but where -o says, and never elsewhere.
TEST_F(PerformanceCommand, ItsNamesLeadNowhereElse) {
  const std::string dir = (folder / "dir").string() + "/";
  const std::string out_of_it = (folder.path() / ".." / "evil.wav").string();
  for (const std::string& name :
       {out_of_it, std::string("../evil.wav"), std::string(".bashrc\0.wav", 12), std::string(".."),
        std::string("."), std::string("a/"), std::string("a\x1b[2J.wav"), std::string()}) {
    p.file = name;
    write();
    const Outcome refused = render({"-o", dir, "--force"});
    EXPECT_EQ(refused.code, 1) << name;
    expect_one_line(refused.err);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"take.performance.jsonl"});
  EXPECT_FALSE(std::filesystem::exists(out_of_it));
}

TEST_F(PerformanceCommand, AFileThatIsNoneIsSaidToBeNone) {
  for (const std::string& text : {std::string("RIFF....WAVE"), std::string("{\"a\":1}\n"),
                                  std::string(200'000, 'x'), std::string("[[[\n")}) {
    std::ofstream(file, std::ios::binary) << text;
    const Outcome o = render({"-o", out});
    EXPECT_EQ(o.code, 1);
    expect_one_line(o.err);
    EXPECT_NE(o.err.find("expected a performance of mambo (.performance.jsonl), found"),
              std::string::npos)
        << o.err;
  }
}

TEST_F(PerformanceCommand, ControlCharactersOfItDoNotReachTheTerminal) {
  p.version = p.programs[0].engine.description = "\x1b[2J";
  write();
  Outcome o = render({"-o", out});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.err.find('\x1b'), std::string::npos) << o.err;
  p.programs[0].model_path = "/nowhere/\x1b[2J";
  write();
  o = render({"-o", out, "--force"});
  EXPECT_EQ(o.code, 1);
  expect_one_line(o.err);
  EXPECT_EQ(o.err.find('\x1b'), std::string::npos) << o.err;
}

// A take rendered along a track: what a voice draws that is told at the same samples.
TEST(RenderAlongATrack, ChangesAtItsSamples) {
  const Folder folder;
  const auto model = Model::load(small_model());
  const auto engine = make_engine(model->network(), "cpu");
  Recipe recipe;
  recipe.sample_rate = recipe.file_rate = 16000;
  recipe.samples = 6000;
  recipe.rng_seed = 3;
  recipe.sampling.temperature = 0.7F;
  OutputChoice choice;
  choice.path = folder / "t.wav";
  choice.count = 2;
  choice.fade_in_ms = choice.fade_out_ms = 0;
  std::vector<Take> takes = plan_takes(recipe, choice);
  ControlEvent e;
  e.at = 2500;  // in the middle of a chunk
  e.id = ControlId::temperature;
  e.value.real = 1.5;
  e.ramp = 640;
  takes[1].track = ControlTrack(1);
  ASSERT_TRUE(takes[1].track.add(e));
  RenderEvents events;
  render(*engine, takes, {}, 0, events);

  const auto drawn = [&](std::uint64_t rng_seed, bool moved) {
    Voice voice(*engine);
    voice.set_rng(rng_seed);
    voice.set_sampling({0.7F, 0, 1.0F});
    std::vector<std::uint8_t> codes(6000);
    for (std::size_t at = 0; at < codes.size(); at += 4) {
      Patch patch;
      patch.set(SamplingParams{0.7F, 0, 1.0F});
      if (moved && at >= e.at) patch.apply(e);
      patch.advance(at);
      voice.set_sampling(patch.sampling());
      voice.generate(std::span(codes).subspan(at, 4));
    }
    return codes;
  };
  const auto rendered = [&](const char* name) {
    return encode(read_sound(folder / name).samples, Encoding::mulaw8);
  };
  EXPECT_TRUE(rendered("t-000.wav") == drawn(3, false));
  EXPECT_TRUE(rendered("t-001.wav") == drawn(4, true));
  EXPECT_FALSE(drawn(4, true) == drawn(4, false));
}

}  // namespace
}  // namespace mambo
