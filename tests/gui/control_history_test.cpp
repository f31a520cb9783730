#include "app/gui/control_history.h"

#include <gtest/gtest.h>

namespace mambo::gui {
namespace {

constexpr ControlId level = ControlId::level;
constexpr ControlId heat = ControlId::temperature;

ControlValue real(double v) { return {v, 0}; }

TEST(ControlHistory, UndoesAndRepeats) {
  ControlHistory h;
  EXPECT_FALSE(h.undo().has_value());
  h.changed(level, real(0), real(-3), 0);
  h.changed(heat, real(1), real(2), 0);
  auto set = h.undo();
  ASSERT_TRUE(set);
  EXPECT_EQ(set->id, heat);
  EXPECT_EQ(set->value, real(1));
  set = h.undo();
  ASSERT_TRUE(set);
  EXPECT_EQ(set->id, level);
  EXPECT_FALSE(h.undo().has_value());
  set = h.redo();
  ASSERT_TRUE(set);
  EXPECT_EQ(set->value, real(-3));
  set = h.redo();
  ASSERT_TRUE(set);
  EXPECT_EQ(set->id, heat);
  EXPECT_FALSE(h.redo().has_value());
}

TEST(ControlHistory, ADragIsOneChange) {
  ControlHistory h;
  for (int i = 0; i < 100; ++i) h.changed(level, real(-i), real(-i - 1), 3.0 * i);  // held long
  h.settle();
  h.changed(level, real(-100), real(-50), 301);
  EXPECT_EQ(h.undo()->value, real(-100));
  EXPECT_EQ(h.undo()->value, real(0));
  EXPECT_FALSE(h.undo().has_value());
}

TEST(ControlHistory, KeysThatFollowOneAnotherAreOneChange) {
  ControlHistory h;
  h.changed(level, real(0), real(1), 0);
  h.rest(0.2);
  h.changed(level, real(1), real(2), 0.3);
  h.rest(1.5);
  h.changed(level, real(2), real(3), 1.6);
  EXPECT_EQ(h.undo()->value, real(2));
  EXPECT_EQ(h.undo()->value, real(0));
}

TEST(ControlHistory, ADragThereAndBackIsNone) {
  ControlHistory h;
  h.changed(level, real(0), real(1), 0);
  h.settle();
  h.changed(level, real(1), real(9), 0);
  h.changed(level, real(9), real(1), 0);
  EXPECT_EQ(h.undo()->value, real(0));
}

TEST(ControlHistory, AChangeAfterUndoEndsWhatWasUndone) {
  ControlHistory h;
  h.changed(level, real(0), real(1), 0);
  h.undo();
  h.changed(level, real(0), real(5), 0);
  EXPECT_FALSE(h.redo().has_value());
  EXPECT_EQ(h.undo()->value, real(0));
}

TEST(ControlHistory, AnotherModelsValuesAreForgotten) {
  ControlHistory h;
  h.changed(heat, real(1), real(2), 0);
  h.changed(level, real(0), real(1), 0);
  h.changed(heat, real(2), real(3), 0);
  h.undo();
  h.forget(heat);
  EXPECT_FALSE(h.redo().has_value());
  EXPECT_EQ(h.undo()->id, level);
  EXPECT_FALSE(h.undo().has_value());
}

TEST(ControlHistory, KeepsTheLastThousand) {
  ControlHistory h;
  for (std::size_t i = 0; i < ControlHistory::most + 10; ++i) {
    h.changed(level, real(static_cast<double>(i)), real(static_cast<double>(i + 1)), 0);
    h.settle();
  }
  std::size_t n = 0;
  while (h.undo()) ++n;
  EXPECT_EQ(n, ControlHistory::most);
}

TEST(ControlHistory, ADragOverManyLayersIsOneChangeAmongTheOthers) {
  ControlHistory h;
  const LayerSnapshot plain(3);
  LayerSnapshot faster = plain;
  faster[1][layer_value(ControlId::delta_scale)] = 2;
  LayerSnapshot held = faster;
  for (auto& layer : held) layer[layer_value(ControlId::hold_B)] = 0.5;
  h.changed(level, real(0), real(-3), 0);
  h.changed_layers(plain, faster, 1);
  ASSERT_NE(h.layers_under_way(), nullptr);
  EXPECT_EQ(*h.layers_under_way(), faster);
  h.changed_layers(faster, held, 1.1);  // of the same gesture: the fader moves several
  h.settle();
  EXPECT_EQ(h.layers_under_way(), nullptr);
  h.changed(heat, real(1), real(2), 3);
  EXPECT_EQ(h.undo()->id, heat);
  EXPECT_EQ(h.undo()->layers, plain);
  EXPECT_EQ(h.redo()->layers, held);
  h.forget_layers();  // another model
  const auto set = h.undo();
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->layers.empty());
  EXPECT_EQ(set->value, real(0));
  EXPECT_FALSE(h.undo().has_value());
}

}  // namespace
}  // namespace mambo::gui
