#include "app/gui/glyphs.h"

#include <gtest/gtest.h>
#include <imgui.h>

#include "app/gui/theme.h"

namespace mambo::gui {
namespace {

constexpr const char* piano_ja = "\u30d4\u30a2\u30ce.wav";

TEST(Glyphs, PlainWordsAreLeftAlone) {
  Glyphs g;
  const char* words = "Bach, prelude: 9.27 s";
  EXPECT_EQ(g.shown(words), words);
  EXPECT_STREQ(g.shown("\u0394 \u2212 caf\u00e9 \u0416"), "\u0394 \u2212 caf\u00e9 \u0416");
  EXPECT_FALSE(g.wants_more());
  EXPECT_TRUE(g.fallbacks().empty());
}

TEST(Glyphs, WhatCannotBeShownIsSpelt) {
  Glyphs g;
  EXPECT_STREQ(g.shown("a\U0001F3B9.wav"), "a<U+1F3B9>.wav") << "beyond Dear ImGui's letters";
  EXPECT_STREQ(g.shown("caf\xE9.wav"), "caf<E9>.wav") << "Latin 1, not UTF-8";
  EXPECT_STREQ(g.shown("\xF0\x9F\x8E"), "<F0><9F><8E>") << "cut off";
  EXPECT_STREQ(g.shown("\xED\xA0"), "<ED><A0>");
  EXPECT_STREQ(g.shown("a\uFE0F\u200Db"), "ab") << "it has no shape of its own";
  g.shown("\u2FE0");  // not assigned: no font should have it
  g.fallbacks();
  EXPECT_STREQ(g.shown("\u2FE0"), "<U+2FE0>");
}

TEST(Glyphs, ArabicRunsFromRightToLeftAndIsJoined) {
  Glyphs g;
  // beh, alef, beh: first form, last form, alone; as the eye meets them from the left.
  EXPECT_STREQ(g.shown("\u0628\u0627\u0628"), "\uFE8F\uFE8E\uFE91");
  EXPECT_STREQ(g.shown("1 \u05D0\u05D1.wav"), "1 \u05D1\u05D0.wav");
}

TEST(Glyphs, AreDrawnOnceTheyAreWanted) {
  ImGui::CreateContext();
  Theme theme;
  apply_theme(theme, 1);
  EXPECT_EQ(theme.body->FindGlyphNoFallback(0x30D4), nullptr);
  glyphs().shown(piano_ja);
  ASSERT_TRUE(glyphs().wants_more());
  apply_theme(theme, 1);
  EXPECT_FALSE(glyphs().wants_more());
  if (glyphs().fallbacks().empty()) {
    ImGui::DestroyContext();
    GTEST_SKIP() << "no font with Japanese letters is installed";
  }
  for (ImFont* font : {theme.body, theme.small, theme.strong}) {
    EXPECT_NE(font->FindGlyphNoFallback(0x30D4), nullptr);
    EXPECT_NE(font->FindGlyphNoFallback('A'), nullptr);
  }
  EXPECT_STREQ(glyphs().shown(piano_ja), piano_ja);
  ImGui::DestroyContext();
}

TEST(Glyphs, TheNumberOfLettersIsBounded) {
  Glyphs g;
  for (unsigned code = 0x4E00; code < 0x4E00 + 6000; ++code) {
    std::string letter = {static_cast<char>(0xE0U | code >> 12U),
                          static_cast<char>(0x80U | (code >> 6U & 0x3FU)),
                          static_cast<char>(0x80U | (code & 0x3FU))};
    g.need(letter.c_str());
  }
  EXPECT_STREQ(g.shown("\u4E00\u9FA0"), "\u4E00<U+9FA0>");
}

}  // namespace
}  // namespace mambo::gui
