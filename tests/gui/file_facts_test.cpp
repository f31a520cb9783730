#include "app/gui/file_facts.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

TEST(FileFacts, NamesAreForPeople) {
  EXPECT_EQ(name_for_people("/x/piano.safetensors"), "Piano");
  EXPECT_EQ(name_for_people("/x/bach-prelude.wav"), "Bach prelude");
  EXPECT_EQ(name_for_people(""), "");
  EXPECT_TRUE(is_laboratory("/x/piano-lab.safetensors"));
  EXPECT_FALSE(is_laboratory("/x/labyrinth.safetensors"));
}

TEST(FileFacts, ASearchFindsEachWordAnywhereInTheName) {
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("moon BEET", "Beethoven moonlight"));
  EXPECT_FALSE(matches("moon chopin", "Beethoven moonlight"));
  EXPECT_TRUE(matches("\u30d4", "\u30d4\u30a2\u30ce.wav"));
}

TEST(FileFacts, LengthAndRateComeByThemselves) {
  const fs::path assets = MAMBO_ASSETS;
  const fs::path clip = assets / "seeds" / "digit-seven.wav";
  const fs::path model = fs::path(MAMBO_TEST_DATA) / "rand-flat.safetensors";
  FileFacts facts;
  EXPECT_EQ(facts.of(clip), "");
  const auto comes = [&](const fs::path& path) {
    for (int i = 0; i < 1000 && facts.of(path).empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return facts.of(path);
  };
  facts.look_at({assets / "PROVENANCE.md", "/nowhere", clip}, false);
  EXPECT_EQ(comes(clip), "1.00 s, 16 kHz");
  EXPECT_EQ(facts.of(assets / "PROVENANCE.md"), "");
  facts.look_at({clip, model}, true);
  EXPECT_EQ(comes(model), "0.1 M, 16 kHz");
}

}  // namespace
}  // namespace mambo::gui
