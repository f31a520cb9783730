// What is measured beside what plays: the figures of `mambo ablate`, at any moment given up.
#include "app/live/ablator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/app/support.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using testing::Folder;
using testing::golden;
using testing::mambo;
using testing::small_model;
using testing::tone_clip;

template <class F>
bool within(double seconds, F f) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!f()) {
    if (std::chrono::steady_clock::now() > until) return f();
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

bool ends(const Ablator& ablator) {
  return within(100, [&] { return !ablator.running(); });
}

TEST(Ablator, SaysWhatTheCommandSays_threads) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.3);
  const auto model = Model::load(small_model());
  Ablator ablator({WeightStorage::half, 1, {}});
  EXPECT_EQ(ablator.status().table, nullptr);
  ablator.start(model, clip);
  ASSERT_TRUE(ends(ablator));
  const Ablator::Status s = ablator.status();
  EXPECT_EQ(s.error, "");
  EXPECT_TRUE(s.whole());
  EXPECT_EQ(s.model.lock(), model);
  EXPECT_EQ(s.clip, clip);
  EXPECT_FLOAT_EQ(s.progress, 1);
  const auto command = mambo(
      {"ablate", "-m", small_model(), "-a", clip, "--backend", "cpu", "--json", "--threads", "1"});
  EXPECT_EQ(command.code, 0) << command.err;
  EXPECT_EQ(nlohmann::json::parse(ablation_json(*s.table)), command.json());
  EXPECT_EQ(ablation_json(*s.table), command.out);
}

TEST(Ablator, OfALongClipJudgesTheBeginning) {
  const Folder folder;
  Ablator ablator({}, 0.1);
  ablator.start(Model::load(small_model()), tone_clip(folder, 0.3));
  ASSERT_TRUE(ends(ablator));
  EXPECT_NEAR(ablator.status().table->seconds, 0.1, 0.001);
}

TEST(Ablator, IsCancelledAndBegunAnew_threads) {
  const Folder folder;
  const Folder another;
  const auto slow = tone_clip(folder, 50);
  const auto quick = tone_clip(another, 0.1);
  const auto model = Model::load(small_model());
  Ablator ablator;
  ablator.start(model, slow);
  EXPECT_TRUE(ablator.running());
  ASSERT_TRUE(within(100, [&] { return ablator.status().progress > 0; }));
  ablator.cancel();
  EXPECT_FALSE(ablator.running());
  EXPECT_FALSE(ablator.status().whole());
  EXPECT_EQ(ablator.status().error, "");

  // The latest counts, whatever is under way.
  ablator.start(model, slow);
  ASSERT_TRUE(within(100, [&] { return ablator.status().progress > 0; }));
  ablator.start(model, quick);
  ASSERT_TRUE(ends(ablator));
  EXPECT_EQ(ablator.status().clip, quick);
  ASSERT_TRUE(ablator.status().whole());
  EXPECT_NEAR(ablator.status().table->seconds, 0.1, 0.001);

  ablator.start(model, slow);  // and it goes away meanwhile
  ASSERT_TRUE(within(100, [&] { return ablator.status().progress > 0; }));
}

TEST(Ablator, WhatCannotBeMeasuredIsSaid) {
  const Folder folder;
  Ablator ablator;
  const auto error = [&](const std::string& model, const std::filesystem::path& clip) {
    ablator.start(Model::load(model), clip);
    EXPECT_TRUE(ends(ablator));
    EXPECT_FALSE(ablator.status().whole());
    return ablator.status().error;
  };
  EXPECT_EQ(error(small_model(), {}), "expected a clip to measure on, found silence: open one");
  EXPECT_NE(error(small_model(), folder / "none.wav").find("none.wav"), std::string::npos);
  EXPECT_NE(error(golden("s4d-flat.safetensors"), tone_clip(folder, 0.1))
                .find("found only time-invariant ones"),
            std::string::npos);
  EXPECT_NE(error(small_model(), tone_clip(folder, 0.0002)).find("a step of every tier, found 3"),
            std::string::npos);
  // And what can be measured then is.
  ablator.start(Model::load(small_model()), tone_clip(folder, 0.1));
  EXPECT_TRUE(ends(ablator));
  EXPECT_TRUE(ablator.status().whole()) << ablator.status().error;
  // It keeps no model alive.
  EXPECT_EQ(ablator.status().model.lock(), nullptr);
}

}  // namespace
}  // namespace mambo
