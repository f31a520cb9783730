// What the commands may write over, and what never: inputs, foreign files, links, pipes, devices.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::expect_one_line;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::small_model;
using testing::tone_clip;

class Outputs : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::copy_file(small_model(), model); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  Outcome run(const char* command, std::vector<std::string> words) const {
    std::vector<std::string> all = {command, "-m", model};
    all.insert(all.end(), words.begin(), words.end());
    return mambo(all);
  }
  Outcome render(const std::string& target, const char* flag = "--quiet") const {
    return run("render", {"-s", clip, "--seconds", "0.1", "-o", target, flag});
  }
  Outcome probe(const std::string& target, const char* flag = "--quiet") const {
    return run("probe", {"-a", clip, "--to", "0.05", "--no-logits", "-o", target, flag});
  }
  static void expect_refused(const Outcome& o, const std::string& says) {
    EXPECT_EQ(o.code, 1) << o.out;
    EXPECT_NE(o.err.find(says), std::string::npos) << o.err << "\nexpected: " << says;
    expect_one_line(o.err);
  }

  Folder folder;
  std::string clip = tone_clip(folder).string();
  std::string model = path("m.safetensors");
};

TEST_F(Outputs, NeverReplaceWhatIsRead) {
  std::filesystem::create_symlink("tone.wav", path("link.wav"));
  std::filesystem::create_hard_link(clip, path("hard.wav"));
  std::filesystem::create_symlink("m.safetensors", path("model.wav"));
  const std::string sound = bytes_of(clip);
  const std::string weights = bytes_of(model);
  for (const char* name : {"tone.wav", "link.wav", "hard.wav", "model.wav"}) {
    expect_refused(render(path(name), "--force"), "it is an input");
    expect_refused(probe(path(name), "--force"), "it is an input");
  }
  expect_refused(render(clip), "it is an input");
  expect_refused(probe(model), "it is an input");
  EXPECT_TRUE(bytes_of(clip) == sound);
  EXPECT_TRUE(bytes_of(model) == weights);
}

TEST_F(Outputs, ARecipeIsAnInputUnlessItsOwnFileIsMadeAgain) {
  ASSERT_EQ(render(path("a.wav")).code, 0);
  std::filesystem::copy_file(path("a.json"), path("b.json"));
  const std::string recipe = bytes_of(path("b.json"));
  expect_refused(mambo({"render", "--recipe", path("b.json"), "-o", path("b.wav"), "--force"}),
                 "b.json: it is an input");
  EXPECT_EQ(bytes_of(path("b.json")), recipe);
  EXPECT_FALSE(std::filesystem::exists(path("b.wav")));
  const Outcome o = mambo({"render", "--recipe", path("a.json"), "--force"});
  EXPECT_EQ(o.code, 0) << o.err;
}

TEST_F(Outputs, OfProbeReplaceItsOwnAndNoOther) {
  const std::string out = path("p.safetensors");
  std::ofstream(out) << "notes";
  expect_refused(probe(out),
                 "p.safetensors is there and was not made by mambo probe: choose "
                 "another name, or --force to replace it");
  EXPECT_EQ(bytes_of(out), "notes");
  EXPECT_EQ(probe(out, "--force").code, 0);
  const std::string first = bytes_of(out);
  EXPECT_EQ(probe(out).code, 0) << "its own";
  EXPECT_TRUE(bytes_of(out) == first);
  // Another model is a safetensors file too.
  std::filesystem::copy_file(small_model(), path("other.safetensors"));
  expect_refused(probe(path("other.safetensors")), "was not made by mambo probe");
  EXPECT_TRUE(bytes_of(path("other.safetensors")) == bytes_of(small_model()));
}

TEST_F(Outputs, OfProbeAsPicturesLikewise) {
  const auto pictures = [&](const char* flag) {
    return run("probe", {"-a", clip, "--to", "0.05", "--no-logits", "--layers", "down.0.0", "-o",
                         path("p.safetensors"), "--png", path("pictures"), flag});
  };
  const std::string picture = path("pictures/down.0.0.delta.png");
  std::filesystem::create_directory(path("pictures"));
  std::ofstream(picture) << "mine";
  expect_refused(pictures("--quiet"), "delta.png is there and was not made by mambo");
  EXPECT_EQ(bytes_of(picture), "mine");
  EXPECT_FALSE(std::filesystem::exists(path("p.safetensors"))) << "said before the work";
  EXPECT_EQ(pictures("--force").code, 0);
  EXPECT_EQ(bytes_of(picture).substr(1, 3), "PNG");
  EXPECT_EQ(pictures("--quiet").code, 0) << "its own";
}

TEST_F(Outputs, GoWhereALinkLeads) {
  std::filesystem::create_symlink("later/p.safetensors", path("link"));
  EXPECT_EQ(probe(path("link")).code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_TRUE(std::filesystem::is_regular_file(path("later/p.safetensors")));
  std::filesystem::create_symlink("later/a.wav", path("link.wav"));
  EXPECT_EQ(render(path("link.wav")).code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.wav")));
  EXPECT_EQ(read_sound(path("later/a.wav")).samples.size(), 1600U);
}

TEST_F(Outputs, ThatAreNoSoundGoIntoFilesAlone) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/null", path("null"));
  expect_refused(probe(path("pipe"), "--force"), "expected a file, found a pipe");
  expect_refused(probe(path("null"), "--force"), "expected a file, found a device");
  expect_refused(probe("/dev/null", "--force"), "expected a file, found a device");
  expect_refused(probe(folder.path(), "--force"), "expected a file, found a folder");
  expect_refused(probe("-", "--force"), "standard output takes only the sound");
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_FALSE(std::filesystem::exists("-"));
}

TEST_F(Outputs, TakeNamesAsLongAsTheFileSystemDoes) {
  for (const std::size_t n : {244U, 254U}) {  // with .wav; the recipe's has one byte more
    const std::string name = std::string(n - 4, 'x') + ".wav";
    EXPECT_EQ(render(path(name)).code, 0) << n;
    EXPECT_EQ(read_sound(path(name)).samples.size(), 1600U) << n;
  }
  expect_refused(render(path(std::string(251, 'x') + ".wav")), ".json: File name too long");
  EXPECT_EQ(probe(path(std::string(255, 'p'))).code, 0);
}

}  // namespace
}  // namespace mambo
