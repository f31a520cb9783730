// Rendering on a GPU that is lost meanwhile.
#include <gtest/gtest.h>

#include "app/offline/render.h"
#include "model/model.h"
#include "support.h"
#include "tests/failing_engine.h"

namespace mambo {
namespace {

using testing::FailingEngine;
using testing::Folder;
using testing::read_sound;

Recipe recipe_of(std::uint64_t samples) {
  Recipe r;
  r.sample_rate = r.file_rate = 16000;
  r.samples = samples;
  r.backend = "cuda";
  r.model_sha256 = std::string(64, '0');
  r.weights = "half";
  return r;
}

TEST(RenderOnALostGpu, LeavesValidShorterFilesWhoseRecipesSaySo) {
  const Folder folder;
  const auto model = Model::load(testing::small_model());
  const FailingEngine engine(model->network(), {}, 4 * 3 * 2048);
  OutputChoice choice;
  choice.path = folder / "t.wav";
  choice.count = 5;
  const std::vector<Take> takes = plan_takes(recipe_of(100000), choice);
  RenderEvents events;
  try {
    // Three at once, the engine's streams_at_once().
    render(engine, takes, {}, 0, events);
    FAIL() << "the loss went unnoticed";
  } catch (const DeviceError& e) {
    EXPECT_STREQ(e.what(), FailingEngine::kWhy);
  }
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"t-000.json", "t-000.wav", "t-001.json",
                                                      "t-001.wav", "t-002.json", "t-002.wav"}));
  for (const char* name : {"t-000", "t-001", "t-002"}) {
    const auto samples = read_sound(folder / (std::string(name) + ".wav")).samples;
    EXPECT_EQ(samples.size(), 3U * 2048U);
    const Recipe recipe = read_recipe(folder / (std::string(name) + ".json"));
    EXPECT_TRUE(recipe.interrupted);
    EXPECT_EQ(recipe.file_samples, samples.size());
  }
}

}  // namespace
}  // namespace mambo
