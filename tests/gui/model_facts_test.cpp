#include "app/gui/model_facts.h"

#include <gtest/gtest.h>

#include "app/live/program.h"
#include "kernels/random_network.h"

namespace mambo::gui {
namespace {

std::string favourite(std::vector<Mixer> mixers) {
  const RandomNetwork network(
      {"some", {4, 4}, {1, 2, 1}, 16, 2, 2, 16, 4, 1, false, std::move(mixers), {5}});
  const NetworkView& net = network.view();
  return net.layers[static_cast<std::size_t>(favourite_layer(net))].name;
}

TEST(FavouriteLayer, IsTheFirstOfTheInnermostTierThatSelects) {
  constexpr Mixer s4d = Mixer::s4d;
  constexpr Mixer s6 = Mixer::s6;
  EXPECT_EQ(favourite({}), "center.0");
  EXPECT_EQ(favourite({s4d, s6, s6}), "center.0");
  EXPECT_EQ(favourite({s6, s6, s4d}), "down.1.0");
  EXPECT_EQ(favourite({s6, s4d, s4d}), "down.0.0");
  EXPECT_EQ(favourite({s4d, s4d, s4d}), "center.0");
}

TEST(UsefulTemperature, IsTheFilesElseAboutTheModelsOwn) {
  Config config;
  config.sampling.temperature = 0.98F;
  const Useful about_own = useful_temperature(config);
  ASSERT_TRUE(about_own.has_value());
  EXPECT_LT(about_own->from, 0.9);
  EXPECT_GT(about_own->from, 0.6);
  EXPECT_GT(about_own->to, 1.0);
  EXPECT_LT(about_own->to, 1.3);
  config.temperature_range = UsefulRange{0.5, 2};
  EXPECT_EQ(useful_temperature(config), (UsefulRange{0.5, 2}));
  config.temperature_range.reset();
  config.sampling.temperature = 0;
  EXPECT_EQ(useful_temperature(config), std::nullopt);
  config.sampling.temperature = 10;
  EXPECT_EQ(useful_temperature(config), std::nullopt);
}

}  // namespace
}  // namespace mambo::gui
