// --set: values of controls by name, of layers as well, as the commands take, keep and refuse them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "app/control/by_hand.h"
#include "app/files/codes.h"
#include "app/offline/absorb_sink.h"
#include "app/offline/recipe.h"
#include "kernels/engine.h"
#include "model/ablation.h"
#include "model/model.h"
#include "model/tensor_file.h"
#include "model/voice.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::expect_one_line;
using testing::Folder;
using testing::golden;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::small_model;
using testing::tone_clip;

class SetOption : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder / name).string(); }
  Outcome render(std::vector<std::string> words) const {
    std::vector<std::string> all = {"render",    "-m",  small_model(), "-s", clip,
                                    "--seconds", "0.3", "--fade-in",   "0",  "--fade-out",
                                    "0"};
    all.insert(all.end(), words.begin(), words.end());
    return mambo(all);
  }
  // What a voice draws that absorbed the clip as the model is, and is then played by hand.
  std::vector<std::uint8_t> drawn(const std::vector<LayerSetting>& settings) const {
    const auto model = Model::load(small_model());
    const auto engine = make_engine(model->network(), "cpu");
    const std::vector<std::uint8_t> codes =
        load_clip_codes(clip, model->config().sample_rate, model->config().encoding, {}).codes;
    Voice voice(*engine);
    voice.set_rng(1);
    RenderEvents quiet;
    AbsorbSink means(quiet, codes.size(), &model->network());
    voice.prefill(codes, &means);
    voice.selectivity().set_means(means.means());
    apply_settings(settings, model->network(), voice.selectivity());
    std::vector<std::uint8_t> out(4800);
    voice.generate(out);
    return out;
  }
  std::vector<std::uint8_t> rendered(const std::string& name) const {
    return encode(read_sound(path(name)).samples, Encoding::mulaw8);
  }

  Folder folder;
  std::string clip = tone_clip(folder).string();
};

TEST_F(SetOption, OfLayersIsDrawnWithAndKeptInTheRecipe) {
  ASSERT_EQ(render({"-o", path("plain.wav")}).code, 0);
  const Outcome o = render(
      {"-o", path("a.wav"), "--set", "hold_B=1,delta_scale.tier0=0.5", "--set", "read.center.0=0"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Recipe recipe = read_recipe(path("a.json"));
  EXPECT_EQ(recipe.layers,
            (std::vector<LayerSetting>{{ControlId::delta_scale, tier_target(0), 0.5},
                                       {ControlId::hold_B, kAllTargets, 1},
                                       {ControlId::read, *parse_target("center.0"), 0}}));
  EXPECT_TRUE(rendered("plain.wav") == drawn({}));
  EXPECT_TRUE(rendered("a.wav") == drawn(recipe.layers));
  EXPECT_FALSE(rendered("a.wav") == rendered("plain.wav"));
  EXPECT_TRUE(read_recipe(path("plain.json")).layers.empty());
  EXPECT_EQ(bytes_of(path("plain.json")).find("\"set\""), std::string::npos);

  Outcome again = mambo({"render", "--recipe", path("a.json"), "-o", path("b.wav")});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("bit for bit the file"), std::string::npos) << again.err;
  again = render({"-o", path("a.wav"), "--set", "hold_B=0.5", "--set", "hold_B=1", "--set",
                  "read.center.0=0", "--set", "delta_scale.tier0=0.5"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("left as it is"), std::string::npos)
      << "the same sound said in other words: " << again.out << again.err;
}

TEST_F(SetOption, AtTheDefaultsIsTheSameFile) {
  ASSERT_EQ(render({"-o", path("a.wav")}).code, 0);
  ASSERT_EQ(render({"-o", path("b.wav"), "--set", "delta_scale=1,hold_B=0,read=1"}).code, 0);
  EXPECT_EQ(bytes_of(path("a.wav")), bytes_of(path("b.wav")));
}

TEST_F(SetOption, OfTheDrawIsWhatTheOptionOfThatNameSays) {
  ASSERT_EQ(render({"-o", path("a.wav"), "--temperature", "0.5", "--rng-seed", "7"}).code, 0);
  ASSERT_EQ(render({"-o", path("b.wav"), "--temperature", "2", "--set", "temperature=0.5", "--set",
                    "rng_seed=7"})
                .code,
            0);
  EXPECT_EQ(bytes_of(path("a.wav")), bytes_of(path("b.wav")));
}

TEST_F(SetOption, JobsAddToWhatHoldsForAll) {
  std::ofstream(path("jobs.csv")) << "output,set\n"
                                     "one.wav,\"delta_scale.tier0=0.5,read=0.9\"\n"
                                     "two.wav,hold_B=0\n";
  const Outcome o = render({"-o", path("out"), "--set", "hold_B=1", "--jobs", path("jobs.csv")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(read_recipe(path("out/one.json")).layers.size(), 3U);
  EXPECT_TRUE(read_recipe(path("out/two.json")).layers.empty());
  std::ofstream(path("jobs.csv")) << "output,set\nthree,hold_B=2\n";
  const Outcome bad = render({"-o", path("out"), "--jobs", path("jobs.csv")});
  EXPECT_EQ(bad.code, 1);
  expect_one_line(bad.err);
  EXPECT_NE(bad.err.find("line 2: --set: hold_B: expected 0 to 1, found 2"), std::string::npos)
      << bad.err;
}

TEST_F(SetOption, IsRefusedInOneLine) {
  const auto refused = [&](const std::vector<std::string>& words, int code,
                           const std::string& part) {
    const Outcome o = mambo(words);
    EXPECT_EQ(o.code, code) << o.err;
    expect_one_line(o.err);
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err;
  };
  refused({"render", "--set", "hold_B"}, 2, "--set: expected CONTROL[.TARGET]=VALUE, found hold_B");
  refused({"render", "--set", "level=0"}, 2, "hold_C, read, found level");
  refused({"eval", "-a", clip, "--set", "temperature=1"}, 2,
          "expected one of delta_scale, hold_delta, hold_B, hold_C, read, found temperature");
  refused({"play", "--set", "playing=0"}, 2, "found playing");
  const std::string out = path("never.wav");
  const std::vector<std::string> base = {"render",    "-m", small_model(), "-o", out,
                                         "--seconds", "1"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), base.begin(), base.end());
    return words;
  };
  refused(with({"-s", clip, "--set", "hold_B.tier7=1"}), 1, "found tier7");
  refused(with({"--from-silence", "--set", "hold_B=1"}), 1,
          "a hold is at the mean over the clip: expected a clip of at least");
  refused({"render", "-m", golden("s4d-flat.safetensors"), "-s", clip, "-o", out, "--set",
           "delta_scale=2"},
          1, "delta_scale.all: expected a selective layer (s6), found none in this model");
  refused(
      {"play", "-m", small_model(), "--from-silence", "--seconds", "1", "--set", "read.up.6.1=0"},
      1, "found up.6.1");
  refused({"render", "--recipe", "x.json", "--set", "read=0"}, 2, "leave out --set");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(SetOption, EvalScoresWhatIsHeldAtTheMeansOfTheSameClip) {
  const Outcome plain = mambo({"eval", "-m", small_model(), "-a", clip, "--json"});
  const Outcome held =
      mambo({"eval", "-m", small_model(), "-a", clip, "--json", "--set", "hold_delta.tier0=1"});
  ASSERT_EQ(held.code, 0) << held.err;
  EXPECT_FALSE(plain.json().contains("set"));
  EXPECT_EQ(held.json().at("set").at("hold_delta.tier0"), 1);

  const auto model = Model::load(small_model());
  const auto engine = make_engine(model->network(), "cpu");
  const std::vector<std::uint8_t> codes =
      load_clip_codes(clip, model->config().sample_rate, model->config().encoding, {}).codes;
  AblationCase only_tier0;
  only_tier0.delta = true;
  only_tier0.tier = 0;
  const double nats = ablated_nats(*engine, model->network(), only_tier0,
                                   measure_means(*engine, model->network(), codes), codes);
  const double bits = nats / std::log(2.0) / static_cast<double>(codes.size() - 1);
  EXPECT_NEAR(held.json().at("bits_per_sample").get<double>(), bits, 1e-6);
  EXPECT_NE(held.json().at("bits_per_sample"), plain.json().at("bits_per_sample"));
}

TEST_F(SetOption, ProbeShowsWhatIsPlayed) {
  const std::string held = path("held.safetensors");
  const Outcome o = mambo({"probe", "-m", small_model(), "-a", clip, "-o", held, "--to", "0.1",
                           "--tensors", "h", "--set", "delta_scale=0", "--quiet"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(bytes_of(held).find("delta_scale"), std::string::npos);
  const std::string plain = path("plain.safetensors");
  ASSERT_EQ(mambo({"probe", "-m", small_model(), "-a", clip, "-o", plain, "--to", "0.1",
                   "--tensors", "h", "--quiet"})
                .code,
            0);
  // Frozen from the zero state: nothing is ever written.
  const auto norms = [](const std::string& file) {
    const TensorFile tensors = TensorFile::open(file);
    double sum = 0;
    for (const auto& [name, tensor] : tensors.tensors()) {
      if (!name.ends_with(".h")) continue;
      std::vector<float> values(tensor.bytes.size() / sizeof(float));
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      for (const float x : values) sum += static_cast<double>(std::abs(x));
    }
    return sum;
  };
  EXPECT_EQ(norms(held), 0);
  EXPECT_GT(norms(plain), 0);
}

}  // namespace
}  // namespace mambo
