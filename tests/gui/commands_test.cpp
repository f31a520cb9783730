#include "app/gui/commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>
#include <thread>

#include "app/files/paths.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Waits for something to become true in a session's status; false after ten seconds.
template <class F>
bool eventually(F&& f) {
  for (int i = 0; i < 1000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

class DropTest : public ::testing::Test {
 protected:
  // The model at `path` plays, and not the object that did before.
  bool comes_up(const fs::path& path) {
    const bool up = eventually([&] {
      const auto model = session_.model();
      return model != nullptr && model != before_ && model->path() == path;
    });
    before_ = session_.model();
    return up;
  }
  SamplingParams sampling() const {
    return {static_cast<float>(session_.control(ControlId::temperature).real),
            static_cast<int>(session_.control(ControlId::top_k).real),
            static_cast<float>(session_.control(ControlId::top_p).real)};
  }
  void leave(const SamplingParams& left) {  // by hand
    session_.set(ControlId::temperature, left.temperature);
    session_.set(ControlId::top_k, left.top_k);
    session_.set(ControlId::top_p, left.top_p);
  }

  const SamplingParams left_{0.5F, 3, 0.5F};
  std::shared_ptr<const Model> before_;
  fs::path model_ = fs::path(MAMBO_ASSETS) / "models" / "piano-lab.safetensors";
  fs::path clip_ = fs::path(MAMBO_ASSETS) / "seeds" / "bach-prelude.wav";
  Settings settings_;
  Session session_{SessionOptions{}};
};

TEST_F(DropTest, TellsModelsFromClips) {
  EXPECT_TRUE(looks_like_model("/x/y.safetensors"));
  EXPECT_TRUE(looks_like_model(fs::path(MAMBO_TEST_DATA) / "hf-flat"));
  EXPECT_FALSE(looks_like_model(clip_));
  EXPECT_FALSE(looks_like_model("/nowhere/at/all"));
}

TEST_F(DropTest, OpensAModelAndAClipAndRemembersThem) {
  drop(session_, settings_, {model_, clip_, "/never/looked/at.wav"});
  EXPECT_EQ(settings_.model, model_.string());
  EXPECT_EQ(settings_.clip, clip_.string());
  EXPECT_EQ(settings_.recent_clips, std::vector<std::string>{clip_.string()});
  EXPECT_TRUE(eventually([&] { return session_.status().activity == Activity::ready; }))
      << session_.status().message;
  ASSERT_NE(session_.model(), nullptr);
  EXPECT_EQ(session_.clip_path(), clip_);
}

TEST_F(DropTest, AnotherModelBringsItsOwnShippedClipUnlessAnotherWasChosen) {
  const fs::path drums = model_.parent_path() / "drums.safetensors";
  open_model(session_, settings_, model_);
  open_clip(session_, settings_, default_seed_clip(model_));
  EXPECT_EQ(fs::path(settings_.clip).filename(), "satie-gymnopedie.wav");
  open_model(session_, settings_, drums);
  EXPECT_EQ(fs::path(settings_.clip).filename(), "drums-house.wav");
  EXPECT_TRUE(eventually([&] {
    return session_.status().activity == Activity::ready && session_.model() != nullptr &&
           session_.model()->path() == drums && session_.clip_path() == settings_.clip;
  })) << session_.status().message;

  open_clip(session_, settings_, clip_);
  open_model(session_, settings_, model_);
  EXPECT_EQ(settings_.clip, clip_.string());
  open_clip(session_, settings_, {});  // from silence
  open_model(session_, settings_, drums);
  EXPECT_TRUE(settings_.clip.empty());
}

// Whichever of the shipped clips it was: drums should not continue Bach first, and then a loop.
TEST_F(DropTest, AnotherModelAbsorbsAClipOfItsOwnAtOnce) {
  const fs::path drums = model_.parent_path() / "drums.safetensors";
  open_model(session_, settings_, model_, {}, {}, clip_);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(session_.clip_path(), clip_);
  std::vector<std::string> said;
  open_model(session_, settings_, drums);
  EXPECT_TRUE(eventually([&] {
    const SessionStatus s = session_.status();
    if (said.empty() || said.back() != s.message) said.push_back(s.message);
    return s.activity == Activity::ready && session_.model()->path() == drums;
  }));
  EXPECT_EQ(session_.clip_path().filename(), "drums-house.wav");
  EXPECT_EQ(std::count(said.begin(), said.end(), "Absorbed bach-prelude.wav."), 1)
      << "the message before";

  const fs::path latin = fs::path(MAMBO_ASSETS) / "seeds" / "drums-latin.wav";
  EXPECT_EQ(family_of_seed_clip(latin), "drums");
  EXPECT_EQ(family_of_seed_clip(clip_), "piano");
  EXPECT_EQ(family_of_seed_clip("/elsewhere/drums-latin.wav"), "");
  EXPECT_EQ(family_of_model("/mine/my-own.safetensors"), "piano");
  settings_.model = model_.string();  // a piano with a loop: chosen by hand
  settings_.clip = latin.string();
  EXPECT_EQ(clip_for(settings_, model_.parent_path() / "piano.safetensors"), latin);
}

// A clip that is asked for while the model is read is absorbed with it, and nothing before.
TEST_F(DropTest, ModelAndClipTogetherAreOneRequest) {
  drop(session_, settings_, {clip_, model_});
  std::set<std::string> said;
  EXPECT_TRUE(eventually([&] {
    const SessionStatus s = session_.status();
    said.insert(s.message);
    return s.activity == Activity::ready && session_.model() != nullptr;
  }));
  EXPECT_EQ(session_.clip_path(), clip_);
  EXPECT_EQ(settings_.recent_clips, std::vector<std::string>{clip_.string()});
  open_model(session_, settings_, model_.parent_path() / "drums.safetensors");
  while (session_.status().activity != Activity::loading_model) std::this_thread::yield();
  const fs::path latin = fs::path(MAMBO_ASSETS) / "seeds" / "drums-latin.wav";
  open_clip(session_, settings_, latin);
  EXPECT_TRUE(eventually([&] {
    const SessionStatus s = session_.status();
    said.insert(s.message);
    return s.activity == Activity::ready && session_.clip_path() == latin;
  }));
  EXPECT_FALSE(said.contains("Cancelled."));
  EXPECT_FALSE(said.contains("Absorbed drums-house.wav."));
}

TEST_F(DropTest, AnotherModelShowsItsFavouriteLayerAndTheSameTheOneChosen) {
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(session_.tap_layer(), kFavouriteLayer);
  session_.set_tap_layer(0);
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(session_.tap_layer(), 0);
  const fs::path drums = model_.parent_path() / "drums.safetensors";
  open_model(session_, settings_, drums);
  ASSERT_TRUE(comes_up(drums));
  EXPECT_EQ(session_.tap_layer(), kFavouriteLayer);
}

TEST(RecordingName, IsOfModelClipAndTime) {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 3;
  time.tm_hour = 7;
  time.tm_min = 5;
  time.tm_sec = 9;
  EXPECT_EQ(recording_name("piano", "/a/satie-gymnopedie.wav", time),
            "piano-satie-gymnopedie-2026-11-03-070509.wav");
  EXPECT_EQ(recording_name("piano", {}, time), "piano-silence-2026-11-03-070509.wav");
  EXPECT_EQ(recording_name("../my piano", "/a/..b c.flac", time),
            "_.-my-piano-_.b-c-2026-11-03-070509.wav");
  std::string name;
  for (int i = 0; i < 40; ++i) name += "\u00FC";
  const std::string cut = recording_name("a" + name, {}, time);
  EXPECT_EQ(cut.find("-silence"), 59U) << "not half a letter: " << cut;
}

TEST_F(DropTest, AnotherModelBringsItsOwnSamplingAndTheSameKeepsWhatItWasLeftWith) {
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  const SamplingParams own = session_.model()->config().sampling;
  EXPECT_EQ(sampling(), own);
  leave(left_);
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), left_);
  const fs::path drums = model_.parent_path() / "drums.safetensors";
  open_model(session_, settings_, drums);
  ASSERT_TRUE(comes_up(drums));
  EXPECT_EQ(sampling(), session_.model()->config().sampling);
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), own) << "what was left of another model is forgotten";
}

TEST_F(DropTest, TheCommandLineGoesBeforeTheLastSessionAndThatBeforeTheModel) {
  settings_.model = model_.string();
  settings_.controls.say(ControlId::temperature, 0.5);
  settings_.controls.say(ControlId::top_k, 3);
  ControlChoice command_line;
  command_line.say(ControlId::temperature, 0);
  open_model(session_, settings_, model_, {}, command_line);
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), (SamplingParams{0.0F, 3, session_.model()->config().sampling.top_p}));
}

TEST_F(DropTest, AModelIsTheSameByWhateverNameItIsCalled) {
  const fs::path folder = model_.parent_path();
  for (const fs::path& name :
       {folder / "." / model_.filename(), folder / "nothing" / ".." / model_.filename()}) {
    settings_.model = model_.string();
    settings_.controls.say(left_);
    open_model(session_, settings_, name);
    EXPECT_EQ(settings_.model, model_.string());
    EXPECT_EQ(settings_.controls[ControlId::temperature], (ControlValue{0.5, 0})) << name;
  }
}

// Another model's first samples must not be drawn the way the one before was set.
TEST_F(DropTest, AnotherModelDrawsItsOwnWayFromTheFirstSample) {
  leave(left_);
  settings_.model = "/models/a.safetensors";
  settings_.controls.say(left_);
  drop(session_, settings_, {model_});
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), session_.model()->config().sampling);
}

TEST_F(DropTest, TheModelOfTheLastSessionDrawsAsItWasLeft) {
  settings_.model = model_.string();
  settings_.controls.say(left_);
  drop(session_, settings_, {model_});
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), left_);
}

TEST_F(DropTest, AModelThatCannotBeOpenedLeavesTheControlsAlone) {
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  leave(left_);
  drop(session_, settings_, {"/nowhere/missing.safetensors"});
  EXPECT_TRUE(eventually([&] { return session_.status().message_is_error; }));
  EXPECT_EQ(sampling(), left_);
  open_model(session_, settings_, model_);  // which played all the time
  ASSERT_TRUE(comes_up(model_));
  EXPECT_EQ(sampling(), left_);
}

TEST_F(DropTest, WhatPlaysAtTheEndIsRemembered) {
  const ControlChoice untouched = settings_.controls;
  remember_what_plays(session_, settings_);
  EXPECT_EQ(settings_.controls, untouched) << "nothing played";
  open_model(session_, settings_, model_);
  ASSERT_TRUE(comes_up(model_));
  leave(left_);
  session_.set(ControlId::level, -7.5);
  session_.set(ControlId::rng_seed, ControlValue{0, 99});
  session_.play();
  drop(session_, settings_, {"/nowhere/missing.safetensors"});
  remember_what_plays(session_, settings_);
  EXPECT_EQ(settings_.model, model_.string());
  EXPECT_EQ(settings_.controls[ControlId::top_k], (ControlValue{3, 0}));
  EXPECT_EQ(settings_.controls[ControlId::level], (ControlValue{-7.5, 0}));
  EXPECT_EQ(settings_.controls[ControlId::rng_seed], (ControlValue{0, 99}));
  EXPECT_FALSE(settings_.controls[ControlId::playing].has_value());
  EXPECT_FALSE(settings_.controls[ControlId::again].has_value());
}

TEST_F(DropTest, SaysWhatIsWrongWithAModelAndGoesOn) {
  drop(session_, settings_, {"/nowhere/missing.safetensors"});
  EXPECT_TRUE(eventually([&] { return session_.status().message_is_error; }));
  EXPECT_NE(session_.status().message.find("missing.safetensors"), std::string::npos)
      << session_.status().message;
  drop(session_, settings_, {model_});
  EXPECT_TRUE(eventually([&] { return session_.model() != nullptr; }));
}

}  // namespace
}  // namespace mambo::gui
