#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "app/files/audio_file.h"
#include "app/files/paths.h"
#include "support.h"

namespace mambo {
namespace {

// Sets an environment variable for the lifetime of the object.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    const char* before = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    before_ = before != nullptr ? before : "";
    had_ = before != nullptr;
    ::setenv(name, value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }
  ~Environment() {
    if (had_)
      ::setenv(name_, before_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
    else
      ::unsetenv(name_);  // NOLINT(concurrency-mt-unsafe)
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool had_;
};

TEST(Paths, WhatIsShippedIsThere) {
  EXPECT_TRUE(std::filesystem::is_regular_file(default_model()));
  const auto clip = default_seed_clip();
  ASSERT_FALSE(clip.empty());
  EXPECT_GT(load_clip(clip, 16000).seconds(), 1);
}

TEST(Paths, MusicGoesWhereTheDesktopSays) {
  const testing::Folder folder;
  const auto home = folder / "home";
  std::filesystem::create_directories(home);
  const Environment homes("HOME", home.string());
  const Environment config("XDG_CONFIG_HOME", (folder / "config").string());
  std::filesystem::create_directories(folder / "config");
  const auto write = [&](const std::string& lines) {
    std::ofstream(folder / "config" / "user-dirs.dirs") << lines;
  };
  EXPECT_EQ(music_dir(), "") << "no file, no folder";
  std::filesystem::create_directories(home / "Music");
  EXPECT_EQ(music_dir(), home / "Music");
  write("# XDG_MUSIC_DIR=\"$HOME/no\"\nXDG_MUSIC_DIR=\"$HOME/Musik \\\"und\\\" so\"\n");
  EXPECT_EQ(music_dir(), home / "Musik \"und\" so");
  write("XDG_MUSIC_DIR=\"/data/music\"\nXDG_VIDEOS_DIR=\"$HOME/Videos\"\n");
  EXPECT_EQ(music_dir(), "/data/music");
  for (const char* none : {"XDG_MUSIC_DIR=\"$HOME/\"\n", "XDG_MUSIC_DIR=\"music\"\n",
                           "XDG_MUSIC_DIR=\"/cut", "XDG_MUSIC_DIR=/plain\n"}) {
    write(none);
    EXPECT_EQ(music_dir(), home / "Music") << none;
  }
}

TEST(Paths, TheEnvironmentNamesOtherAssets) {
  const testing::Folder folder;
  const Environment assets("MAMBO_ASSETS", folder.path().string());
  EXPECT_EQ(assets_dir(), folder.path());
  EXPECT_TRUE(default_seed_clip().empty());
  std::filesystem::create_directories(folder / "seeds");
  for (const char* name : {"b.wav", "a.wav", "0.txt"})
    std::ofstream(folder / "seeds" / name) << "x";
  EXPECT_EQ(default_seed_clip(), folder / "seeds" / "a.wav");
  for (const char* name : {"bell-2.wav", "bell-1.wav", "bells.wav", "piano-1.wav"})
    std::ofstream(folder / "seeds" / name) << "x";
  EXPECT_EQ(default_seed_clip("/my/bells.safetensors"), folder / "seeds" / "bell-1.wav");
  EXPECT_EQ(default_seed_clip("/my/bell"), folder / "seeds" / "bell-1.wav");
  EXPECT_EQ(default_seed_clip("/my/be.safetensors"), folder / "seeds" / "a.wav");
  EXPECT_EQ(default_seed_clip(default_model()), folder / "seeds" / "a.wav");
}

TEST(Paths, AnInstalledProgramFindsItsAssetsBesideItself) {
  const testing::Folder folder;
  std::filesystem::create_directories(folder / "bin");
  std::filesystem::create_directories(folder / "share/mambo/assets/models");
  std::filesystem::copy_file(MAMBO_PROGRAM, folder / "bin/mambo");
  std::filesystem::copy_file(testing::small_model(),
                             folder / "share/mambo/assets/models/piano.safetensors");
  const auto j =
      testing::mambo({"info", "--json"}, "unset MAMBO_ASSETS; set -- " +
                                             (folder / "bin/mambo").string() + " info --json")
          .json();
  EXPECT_EQ(j.at("name"), "rand-unet-p4");
}

TEST(Paths, ConfigurationFollowsXdg) {
  const testing::Folder folder;
  const Environment config("XDG_CONFIG_HOME", (folder / "c").string());
  EXPECT_EQ(config_dir(), folder / "c" / "mambo");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "c" / "mambo"));
}

}  // namespace
}  // namespace mambo
