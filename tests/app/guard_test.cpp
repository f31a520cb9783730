// The guard of a rendering: what goes astray is brought back, the recipe says so and repeats it.
#include "app/control/guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/control/performance.h"
#include "app/files/codes.h"
#include "app/offline/recipe.h"
#include "app/offline/render.h"
#include "model/model.h"
#include "support.h"
#include "tests/troubled_engine.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::copy_with_about;
using testing::Folder;
using testing::mambo;
using testing::read_sound;
using testing::small_model;
using testing::tone_clip;
using testing::TroubledEngine;
using Falls = std::vector<TroubledEngine::Fall>;

constexpr std::uint64_t kSecond = 16000;

class RenderGuard : public ::testing::Test {
 protected:
  struct Done final : RenderEvents {
    void file_done(const std::filesystem::path& /*path*/, const Recipe& recipe) override {
      recipes.push_back(recipe);
    }
    std::vector<Recipe> recipes;
  };
  // Takes of one engine, side by side, and what their recipes say.
  std::vector<Recipe> render_takes(const Falls& falls, double seconds, bool guard, int count = 1,
                                   bool stereo = false, std::optional<double> lufs = {}) {
    const auto model = Model::load(small_model());
    const TroubledEngine engine(model->network(), falls);
    Recipe base;
    base.model_sha256 = std::string(64, 'a');
    base.sample_rate = base.file_rate = 16000;
    base.samples = static_cast<std::uint64_t>(seconds * kSecond);
    base.backend = "cpu";
    base.weights = "half";
    base.guard = guard;
    base.finish.bits = SampleBits::float32;
    base.finish.stereo = stereo;
    base.finish.lufs = lufs;
    OutputChoice choice;
    choice.path = folder / "take.wav";
    choice.count = count;
    choice.fade_in_ms = choice.fade_out_ms = 0;
    Done done;
    std::vector<Take> takes = plan_takes(base, choice);
    for (Take& t : takes) t.recipe.samples = base.samples;
    render(engine, takes, std::vector<std::uint8_t>(100, 128), count, done);
    return done.recipes;
  }
  std::vector<float> sound(const std::string& name = "take.wav") const {
    return read_sound(folder / name).samples;
  }
  static Trouble at_the_end(const std::vector<float>& x) {
    TroubleMeter meter;
    meter.prepare(16000, {});
    meter.hear(std::span(x).last(11 * kSecond));
    return meter.trouble();
  }
  Folder folder;
};

TEST_F(RenderGuard, EachKindOfTroubleIsBroughtBack) {
  for (const Trouble kind : {Trouble::silence, Trouble::noise, Trouble::drone}) {
    const Falls falls = {{13 * kSecond, kind}};
    EXPECT_TRUE(render_takes(falls, 40, false).front().brought_back.empty());
    const std::vector<float> astray = sound();
    EXPECT_EQ(at_the_end(astray), kind) << trouble_name(kind);
    const std::vector<Recipe> recipes = render_takes(falls, 40, true);
    ASSERT_EQ(recipes.front().brought_back.size(), 1U) << trouble_name(kind);
    const BroughtBack back = recipes.front().brought_back.front();
    EXPECT_EQ(back.from, kind);
    EXPECT_GT(back.to, 0U);
    EXPECT_LT(back.to, 11 * kSecond);
    const std::vector<float> healthy = sound();
    EXPECT_EQ(at_the_end(healthy), Trouble::none) << trouble_name(kind);
    // The same until there, and from the end of the fade on the sound of a state that is well.
    EXPECT_TRUE(std::equal(healthy.begin(), healthy.begin() + static_cast<std::ptrdiff_t>(back.at),
                           astray.begin()));
    const std::array<float, 256> table = decode_table(Encoding::mulaw8);
    for (std::uint64_t i = back.at + 500; i < healthy.size(); ++i) {
      ASSERT_EQ(healthy[i], table[TroubledEngine::sound(Trouble::none, i)]) << i;
    }
  }
}

TEST_F(RenderGuard, WhatIsWellIsLeftAsItIs) {
  render_takes({}, 30, false);
  const std::vector<float> plain = sound();
  EXPECT_TRUE(render_takes({}, 30, true).front().brought_back.empty());
  EXPECT_TRUE(sound() == plain);
}

// Where the later moments carry the trouble in them: an older one, then the end of the clip.
TEST_F(RenderGuard, GoesFurtherBackWhereTroubleComesAgain) {
  const std::vector<Recipe> recipes =
      render_takes({{25 * kSecond, Trouble::silence, 2 * kSecond}}, 80, true);
  const std::vector<BroughtBack>& back = recipes.front().brought_back;
  ASSERT_EQ(back.size(), 3U);
  EXPECT_GT(back[1].to, 0U);
  EXPECT_LT(back[1].to, back[0].to);
  EXPECT_EQ(back[2].to, 0U) << "the end of the clip";
  EXPECT_EQ(at_the_end(sound()), Trouble::none);
}

// Takes side by side, two voices, and samples that are held to be normalized.
TEST_F(RenderGuard, OfManyEachIsWhatItWouldBeAlone) {
  const Falls falls = {{9 * kSecond, Trouble::noise}, {30 * kSecond, Trouble::silence}};
  render_takes(falls, 50, true);
  const std::vector<float> alone = sound();
  const std::vector<Recipe> three = render_takes(falls, 50, true, 3);
  ASSERT_EQ(three.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(sound("take-00" + std::to_string(i) + ".wav") == alone) << i;
  }
  const std::vector<Recipe> pair = render_takes(falls, 50, true, 1, true);
  EXPECT_EQ(pair.front().brought_back.size(), 4U);
  const std::vector<float> both = sound();
  ASSERT_EQ(both.size(), 2 * alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    ASSERT_EQ(both[2 * i], alone[i]);
    ASSERT_EQ(both[2 * i + 1], alone[i]);
  }
  const Recipe quiet = render_takes(falls, 50, true, 1, false, -30).front();
  const std::vector<float> normalized = sound();
  const auto gain = static_cast<float>(std::pow(10, quiet.gain_db / 20));
  for (std::size_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(normalized[i], gain * alone[i], 1e-5);
}

TEST_F(RenderGuard, ARecipeSaysItAndOneWithoutTheKeyIsOff) {
  const std::string clip = tone_clip(folder).string();
  const std::string a = (folder / "a.wav").string();
  const std::string b = (folder / "b.wav").string();
  const auto made = mambo(
      {"render", "-m", small_model(), "-s", clip, "--seconds", "12", "--guard", "-o", a, "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_TRUE(made.json().at("brought_back").at(0).is_array());
  EXPECT_EQ(nlohmann::json::parse(bytes_of(folder / "a.json")).at("guard"), 1);
  const auto again = mambo({"render", "--recipe", (folder / "a.json").string(), "-o", b});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("bit for bit"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("not bit for bit"), std::string::npos) << again.err;
  EXPECT_TRUE(bytes_of(a) == bytes_of(b));
  ASSERT_EQ(
      mambo({"render", "-m", small_model(), "-s", clip, "--seconds", "0.2", "-o", b, "--force"})
          .code,
      0);
  EXPECT_FALSE(read_recipe(folder / "b.json").guard);
  EXPECT_EQ(bytes_of(folder / "b.json").find("\"guard\""), std::string::npos);
  EXPECT_EQ(mambo({"render", "--recipe", (folder / "a.json").string(), "--guard", "-o", b}).code,
            2);
}

// A minute of each shipped model, as docs/listen has it: nothing in it is trouble.
TEST(GuardLimits, TheShippedMinutesAreWell) {
  for (const char* name : {"piano", "drums", "digits"}) {
    const testing::Sound minute = read_sound(std::string(MAMBO_ASSETS "/listen/") + name + ".ogg");
    ASSERT_GT(minute.samples.size(), 20U * kSecond) << name;
    TroubleMeter meter;
    meter.prepare(minute.rate, {});
    std::span<const float> rest(minute.samples);
    while (rest.size() >= meter.to_boundary()) {
      const std::size_t n = meter.to_boundary();
      meter.hear(rest.first(n));
      rest = rest.subspan(n);
      ASSERT_EQ(meter.trouble(), Trouble::none) << name << ", " << rest.size() << " samples left";
    }
  }
}

TEST(GuardLimits, AModelMaySayWhatItsDataHave) {
  const Folder folder;
  const auto limits = [&](const nlohmann::json& about) {
    copy_with_about(small_model(), folder / "m.safetensors", about);
    const auto model = Model::load(folder / "m.safetensors");
    return guard_limits(model->config(), {}, decode_table(Encoding::mulaw8));
  };
  EXPECT_TRUE(limits({{"data", "some"}}) == TroubleLimits());
  const TroubleLimits own = limits({{"guard", {{"silence_s", 2.5}, {"drone_s", 60}}}});
  EXPECT_EQ(own.silence_s, 2.5);
  EXPECT_EQ(own.drone_s, 60);
  EXPECT_EQ(own.noise_s, TroubleLimits().noise_s);
  for (const auto& bad : std::vector<nlohmann::json>{
           3, {{"silence_s", 0}}, {{"noise_s", "long"}}, {{"drone_s", 1e9}}}) {
    EXPECT_THROW(limits({{"guard", bad}}), Error) << bad;
  }
}

// Lines of a performance that name no moment of their run.
TEST(GuardEvents, AStrangersAreHeldToTheRun) {
  const std::string program =
      R"({"at":0,"program":{"model_path":"m","model_name":"m","model_sha256":")" +
      std::string(64, 'a') +
      R"(","sample_rate_hz":16000,"encoding":"mulaw8","clip_path":null,"clip_sha256":null,)" +
      R"("engine":{"backend":"cpu","weights":"half","description":""}}})" + "\n";
  const std::string head = R"({"mambo_performance":1,"mambo_version":"","file":"a.wav",)" +
                           std::string(R"("file_sha256":")") + std::string(64, 'b') +
                           R"(","recorded_samples":1,"lost_samples":0})" + "\n";
  const auto with = [&](const std::string& event) {
    return parse_performance(head + program + "{\"at\":0,\"recording\":true}\n" + event + "\n",
                             "p");
  };
  const Performance good = with(R"({"at":9,"brought_back":{"from":"noise","to":7}})");
  EXPECT_EQ(good.events.back().value.whole, 7U);
  for (const char* bad :
       {R"({"at":9,"brought_back":{"from":"noise","to":10}})",
        R"({"at":9,"brought_back":{"from":"none","to":7}})",
        R"({"at":9,"brought_back":{"from":"noise"}})",
        R"({"at":9,"brought_back":{"from":"noise","to":-1}})", R"({"at":9,"brought_back":3})",
        R"({"at":9,"brought_back":{"from":"noise","to":7},"ramp":3})"}) {
    EXPECT_THROW(with(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace mambo
