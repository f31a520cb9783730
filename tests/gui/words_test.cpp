#include "app/gui/words.h"

#include <gtest/gtest.h>

#include <string>

namespace mambo::gui {
namespace {

TEST(Words, SayWhatADoubleClickBrings) {
  EXPECT_EQ(std::string(own_words(0.95F).c_str()), "Double click: 0.95, this model's own.");
  EXPECT_EQ(std::string(own_words(0).c_str()), "Double click: 0, this model's own.");
  EXPECT_EQ(std::string(own_words(40, 0).c_str()), "Double click: 40, this model's own.");
  EXPECT_EQ(std::string(own_words(0, 0).c_str()), "Double click: off, this model's own.");
  EXPECT_EQ(std::string(own_words(1, 1).c_str()), "Double click: off, this model's own.");
  EXPECT_EQ(std::string(own_words(0.985F, 1).c_str()), "Double click: 0.985, this model's own.");
}

}  // namespace
}  // namespace mambo::gui
