// What an output may replace, told by files, links, pipes and devices as they are.
#include "model/output_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <string>

#include "kernels/error.h"
#include "temp_folder.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TempFolder;
using testing::write_file;

void put(const fs::path& path, const std::string& text, const Replace& replace) {
  OutputFile file(path, replace);
  file.write(0, std::as_bytes(std::span(text)));
  file.commit();
}

// What putting something there says; empty: it was put.
std::string refused(const fs::path& path, const Replace& replace) {
  try {
    put(path, "new", replace);
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

bool begins_with_m(const fs::path& path) { return read_file(path).rfind('m', 0) == 0; }
Replace ours(bool force = false) { return {begins_with_m, "mambo", force}; }

TEST(OutputFile, AppearsWholeOrNotAtAll) {
  const TempFolder folder;
  const fs::path path = folder / "new" / "folders" / "a";
  {
    OutputFile file(path, Replace::nothing());
    EXPECT_TRUE(fs::exists(file.aside()));
  }
  EXPECT_TRUE(fs::is_empty(path.parent_path()));
  put(path, "whole", Replace::nothing());
  EXPECT_EQ(read_file(path), "whole");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1);
}

TEST(OutputFile, ReplacesItsOwnAndNoForeignFile) {
  const TempFolder folder;
  const fs::path path = folder / "a";
  write_file(path, "theirs");
  EXPECT_NE(refused(path, Replace::nothing()).find("/a is there: choose another"),
            std::string::npos);
  EXPECT_NE(refused(path, ours())
                .find("/a is there and was not made by mambo: choose another "
                      "name, or --force to replace it"),
            std::string::npos);
  EXPECT_EQ(read_file(path), "theirs");
  EXPECT_EQ(refused(path, ours(true)), "");
  EXPECT_EQ(read_file(path), "new");
  write_file(path, "mine");
  EXPECT_EQ(refused(path, ours()), "");
  write_file(path, "");
  EXPECT_EQ(refused(path, Replace::nothing()), "") << "of no bytes nothing is lost";
  EXPECT_EQ(folder.files(), 1U);
}

TEST(OutputFile, JudgesOnceMoreWhatCameMeanwhileAndKeepsTheWork) {
  const TempFolder folder;
  for (const char* kept : {"a-2.wav", "a-3.wav"}) {
    OutputFile file(folder / "a.wav", ours());
    file.write(0, std::as_bytes(std::span("work", 4)));
    write_file(folder / "a.wav", "theirs");
    try {
      file.commit();
      FAIL() << "expected an Error";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(std::string("is kept as ") + (folder / kept).string()),
                std::string::npos)
          << e.what();
    }
    EXPECT_EQ(read_file(folder / "a.wav"), "theirs");
    EXPECT_EQ(read_file(folder / kept), "work");
    fs::remove(folder / "a.wav");
  }
  OutputFile file(folder / "a.wav", ours());
  write_file(folder / "a.wav", "mine");
  file.commit();
  EXPECT_EQ(read_file(folder / "a.wav"), "");
  EXPECT_EQ(folder.files(), 3U);
}

TEST(OutputFile, KeepsThePermissionsOfWhatItReplaces) {
  const TempFolder folder;
  write_file(folder / "a", "mine");
  fs::permissions(folder / "a", fs::perms::owner_read | fs::perms::owner_write);
  put(folder / "a", "new", ours());
  EXPECT_EQ(fs::status(folder / "a").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(OutputFile, AnInputStaysUnderAllItsNames) {
  const TempFolder folder;
  const fs::path clip = folder / "clip";
  write_file(clip, "sound");
  fs::create_symlink("clip", folder / "link");
  fs::create_symlink("link", folder / "link to link");
  fs::create_hard_link(clip, folder / "hard");
  note_input(folder / "link");
  for (const char* name : {"clip", "link", "link to link", "hard", "../clip"}) {
    const fs::path path = name[0] == '.' ? folder / "x" / name : folder / name;
    fs::create_directories(folder / "x");
    EXPECT_NE(refused(path, Replace::any()).find("it is an input"), std::string::npos) << name;
    EXPECT_EQ(read_file(clip), "sound");
  }
  // The name alone is no input: the file is gone from it.
  fs::rename(clip, folder / "moved");
  EXPECT_EQ(refused(clip, Replace::nothing()), "");
}

TEST(OutputFile, FollowsLinksAlsoToWhatIsNotYetThere) {
  const TempFolder folder;
  write_file(folder / "file", "mine");
  fs::create_symlink("file", folder / "link");
  fs::create_symlink("later/file", folder / "ahead");
  fs::create_symlink("round", folder / "round");
  EXPECT_EQ(refused(folder / "link", ours()), "");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "file"), "new");
  EXPECT_EQ(refused(folder / "ahead", ours()), "");
  EXPECT_TRUE(fs::is_symlink(folder / "ahead"));
  EXPECT_EQ(read_file(folder / "later" / "file"), "new");
  EXPECT_NE(refused(folder / "round", ours(true)).find("symbolic links"), std::string::npos);
}

TEST(OutputFile, RefusesWhatIsNoFileWhateverIsForced) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_directory(folder / "folder");
  fs::create_symlink("/dev/null", folder / "link");
  const struct {
    fs::path path;
    const char* says;
  } cases[] = {{folder / "pipe", "found a pipe"},
               {folder / "folder", "found a folder"},
               {folder / "link", "found a device"},
               {"/dev/null", "found a device"},
               {"/dev/full", "found a device"},
               {"-", "standard output"},
               {"", "expected the name of a file"},
               {folder / "new/", "expected the name of a file"},
               {folder / "pipe/a", "cannot make the folder"}};
  for (const auto& c : cases) {
    EXPECT_NE(refused(c.path, Replace::any()).find(c.says), std::string::npos)
        << c.path << refused(c.path, Replace::any());
  }
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_FALSE(fs::exists("-"));
}

TEST(OutputFile, TakesEveryNameThatTheFileSystemTakes) {
  const TempFolder folder;
  for (const std::size_t n : {1U, 30U, 143U, 243U, 244U, 254U, 255U}) {
    EXPECT_EQ(refused(folder / std::string(n, 'x'), Replace::nothing()), "") << n;
  }
  EXPECT_NE(refused(folder / std::string(256, 'x'), Replace::nothing()).find("File name too long"),
            std::string::npos);
  std::string wide;  // 85 characters of three bytes each
  for (int i = 0; i < 85; ++i) wide += "\xe3\x83\x9e";
  EXPECT_EQ(refused(folder / wide, Replace::nothing()), "");
  EXPECT_EQ(aside_name("take.wav", ".7-0.part"), ".take.wav.7-0.part");
  const std::string aside = aside_name(wide, ".7-0.part");
  EXPECT_LE(aside.size(), wide.size());
  EXPECT_EQ((aside.size() - 1 - 9) % 3, 0U) << "a character was cut";
}

TEST(OutputFile, TwoWritersOfOneNameDoNotMix) {
  const TempFolder folder;
  OutputFile a(folder / "a", Replace::any());
  OutputFile b(folder / "a", Replace::any());
  EXPECT_NE(a.aside(), b.aside());
  const std::string text = "one whole";
  a.write(0, std::as_bytes(std::span(text)));
  a.commit();
  EXPECT_EQ(read_file(folder / "a"), text);
  b.commit();
  EXPECT_EQ(read_file(folder / "a"), "");
}

}  // namespace
}  // namespace mambo
