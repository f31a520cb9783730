#include "app/files/clip_excerpt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "app/files/audio_file.h"
#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
const fs::path kClip = fs::path(MAMBO_ASSETS) / "seeds" / "satie-gymnopedie.wav";

TEST(ClipExcerpt, KnowsLengthAndRateWithoutReadingTheSound) {
  const auto facts = sound_facts(kClip);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->rate, 16000);
  EXPECT_EQ(facts->channels, 1);
  EXPECT_NEAR(facts->seconds, load_clip(kClip, 16000).seconds(), 1e-6);
  EXPECT_FALSE(sound_facts(fs::path(MAMBO_ASSETS) / "PROVENANCE.md").has_value());
  EXPECT_FALSE(sound_facts(fs::path(MAMBO_ASSETS)).has_value());
  EXPECT_FALSE(sound_facts("/dev/zero").has_value());
}

TEST(ClipExcerpt, TextIsNoSoundWhateverItsNameSays) {
  const fs::path text = fs::temp_directory_path() / "mambo-excerpt.vox";
  std::ofstream(text) << "These bytes say neither rate nor encoding.";
  EXPECT_FALSE(sound_facts(text).has_value());
  fs::remove(text);
}

TEST(ClipExcerpt, IsThePartThatWasAskedFor) {
  const auto whole = load_clip(kClip, 16000).samples;
  const auto beginning = load_excerpt(kClip, 16000, 2, false);
  const auto end = load_excerpt(kClip, 16000, 2, true);
  ASSERT_EQ(beginning.size(), 32000U);
  ASSERT_EQ(end.size(), 32000U);
  for (std::size_t i = 100; i < 31900; ++i) {
    ASSERT_NEAR(beginning[i], whole[i], 1e-4) << i;
    ASSERT_NEAR(end[i], whole[whole.size() - 32000 + i], 1e-4) << i;
  }
  EXPECT_EQ(load_excerpt(kClip, 16000, 600, true).size(), whole.size());
  EXPECT_NEAR(static_cast<double>(load_excerpt(kClip, 48000, 1, false).size()), 48000, 2);
}

TEST(ClipExcerpt, SaysWhatIsWrongAsALoadedClipDoes) {
  for (const fs::path& path :
       {fs::path("/nowhere.wav"), fs::path(MAMBO_ASSETS) / "PROVENANCE.md"}) {
    std::string loaded;
    std::string listened;
    try {
      load_clip(path, 16000);
    } catch (const Error& e) {
      loaded = e.what();
    }
    try {
      load_excerpt(path, 16000, 1, false);
    } catch (const Error& e) {
      listened = e.what();
    }
    EXPECT_FALSE(loaded.empty());
    EXPECT_EQ(loaded, listened);
  }
}

}  // namespace
}  // namespace mambo
