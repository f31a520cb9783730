#include "app/gui/words.h"

#include <gtest/gtest.h>

#include <string>

#include "app/gui/control_words.h"

namespace mambo::gui {
namespace {

TEST(Words, SayWhatADoubleClickBrings) {
  const auto tip = [](ControlId id, const ControlChoice& model) {
    return std::string(control_tip(control_spec(id), model).c_str());
  };
  ControlChoice model;
  model.say(SamplingParams{0.95F, 40, 1.0F});
  EXPECT_NE(tip(ControlId::temperature, model).find(" Double click: 0.95, this model's own."),
            std::string::npos);
  EXPECT_NE(tip(ControlId::top_k, model).find(" Double click: 40 codes, this model's own."),
            std::string::npos);
  EXPECT_NE(tip(ControlId::top_p, model).find(" Double click: off, this model's own."),
            std::string::npos);
  EXPECT_NE(tip(ControlId::temperature, {}).find(" Double click: 1.00. Ctrl-click"),
            std::string::npos);
  EXPECT_NE(tip(ControlId::floor, model).find(" Double click: off, this model's own."),
            std::string::npos);
  const std::string useful =
      control_tip(control_spec(ControlId::temperature), model, UsefulRange{0.7, 1.05}).c_str();
  EXPECT_NE(useful.find(" Useful here: 0.70 to 1.05. Double click:"), std::string::npos) << useful;
  EXPECT_TRUE(useful.ends_with("Ctrl-click: type a value."));
  EXPECT_NE(tip(ControlId::latency, model).find(" Double click: 60 ms. "), std::string::npos);
}

TEST(Words, OfATipAreNotCutOff) {
  ControlChoice model;
  model.say(SamplingParams{});
  for (const ControlSpec& spec : kControlTable) {
    if (spec.kind == ControlKind::whole64) continue;
    EXPECT_TRUE(
        std::string(control_tip(spec, model).c_str()).ends_with("Ctrl-click: type a value."))
        << spec.key;
  }
}

TEST(Words, OfAValueAreItsFormatsOrOff) {
  const ControlSpec& level = control_spec(ControlId::level);
  EXPECT_STREQ(value_words(level, -7.25).c_str(), "-7.2 dB");
  EXPECT_STREQ(value_words(level, -60).c_str(), "off");
  EXPECT_EQ(as_shown(level, 3.14159), 3.1);
  EXPECT_EQ(as_shown(level, 99), 12);
  EXPECT_EQ(as_shown(control_spec(ControlId::top_k), 39.7), 40);
  EXPECT_EQ(as_shown(control_spec(ControlId::top_p), 0.0), 0.001);
}

}  // namespace
}  // namespace mambo::gui
