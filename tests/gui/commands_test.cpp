#include "app/gui/commands.h"

#include <gtest/gtest.h>

#include <chrono>
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

TEST_F(DropTest, AnotherModelBringsItsOwnShippedSeedUnlessAnotherWasChosen) {
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

TEST_F(DropTest, AnotherModelBringsItsOwnSamplingAndTheSameKeepsWhatItWasLeftWith) {
  const SamplingParams own{0.9F, 40, 0.95F};
  adopt_sampling(session_, settings_, "/models/a.safetensors", own);
  EXPECT_EQ(settings_.sampling, own);
  EXPECT_EQ(session_.sampling(), own);
  settings_.sampling.temperature = 0.5F;  // by hand
  adopt_sampling(session_, settings_, "/models/a.safetensors", own);
  EXPECT_EQ(settings_.sampling.temperature, 0.5F);
  adopt_sampling(session_, settings_, "/models/b.safetensors", {});
  EXPECT_EQ(settings_.sampling, SamplingParams{});
  EXPECT_EQ(session_.sampling(), SamplingParams{});
}

TEST_F(DropTest, WhatIsSaidOnTheCommandLineGoesBeforeTheModelsOwnAndWhatWasKept) {
  const SamplingParams own{0.9F, 40, 0.95F};
  ControlChoice said;
  said.say(ControlId::top_k, 7);
  adopt_sampling(session_, settings_, "/models/a.safetensors", own, said);
  EXPECT_EQ(settings_.sampling, (SamplingParams{0.9F, 7, 0.95F}));
  said = {};
  said.say(ControlId::temperature, 0);  // given, although 0
  adopt_sampling(session_, settings_, "/models/a.safetensors", own, said);
  EXPECT_EQ(settings_.sampling, (SamplingParams{0.0F, 7, 0.95F}));
  EXPECT_EQ(session_.sampling(), settings_.sampling);
}

TEST_F(DropTest, AModelIsTheSameByWhateverNameItIsCalled) {
  adopt_sampling(session_, settings_, "/models/a", {});
  settings_.sampling.temperature = 0.5F;  // by hand
  for (const char* name : {"/models/a/", "/models/./a", "/models/b/../a"}) {
    adopt_sampling(session_, settings_, name, {});
    EXPECT_EQ(settings_.sampling.temperature, 0.5F) << name;
  }
}

// Another model's first samples must not be drawn with the previous model's settings.
TEST_F(DropTest, AnotherModelDrawsItsOwnWayBeforeTheWindowHasMetIt) {
  session_.set_sampling({0.5F, 3, 0.5F});
  settings_.sampling_of = "/models/a.safetensors";
  drop(session_, settings_, {model_});
  EXPECT_TRUE(eventually([&] { return session_.model() != nullptr; }));
  EXPECT_EQ(session_.sampling(), session_.model()->config().sampling);
}

TEST_F(DropTest, TheSameModelOpenedAgainDrawsAsItWasLeft) {
  const SamplingParams left{0.5F, 3, 0.5F};
  session_.set_sampling(left);
  settings_.sampling_of = model_.string();
  drop(session_, settings_, {model_});
  EXPECT_TRUE(eventually([&] { return session_.model() != nullptr; }));
  EXPECT_EQ(session_.sampling(), left);
}

TEST_F(DropTest, AModelThatCannotBeOpenedLeavesTheSamplingAlone) {
  const SamplingParams left{0.5F, 3, 0.5F};
  session_.set_sampling(left);
  drop(session_, settings_, {"/nowhere/missing.safetensors"});
  EXPECT_TRUE(eventually([&] { return session_.status().message_is_error; }));
  EXPECT_EQ(session_.sampling(), left);
  EXPECT_EQ(settings_.sampling_of, "");
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
