// Standard streams that are closed, full or without a reader; signals in mid-render.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill is POSIX
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "app/offline/recipe.h"
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

class Printing : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::vector<std::string> render(const std::string& target, const std::string& seconds) const {
    return {"render", "-m", small_model(), "-s", clip, "--seconds", seconds, "-o", target};
  }
  std::vector<std::string> probe(const std::string& target) const {
    return {"probe", "-m", small_model(), "-a", clip, "--to", "0.05", "--no-logits", "-o", target};
  }
  std::vector<std::string> eval() const { return {"eval", "-m", small_model(), "-a", clip}; }
  // Of a rendering that would take hours, once some of it is drawn.
  pid_t start_long(const std::string& target) const {
    std::vector<std::string> words = render(target, "20000");
    words.insert(words.end(), {"--count", "2"});
    const pid_t pid = testing::start_mambo(words, folder / "out", folder / "err");
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::uint64_t written = 0;  // to the files aside
    while (written < 8000 && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      written = 0;
      std::error_code error;
      const auto in = std::filesystem::path(target).parent_path();
      for (const auto& entry : std::filesystem::directory_iterator(in, error)) {
        written += entry.file_size(error);
      }
    }
    return pid;
  }
  static void expect_kept(const std::string& wav, const std::string& json) {
    const auto samples = read_sound(wav).samples;
    EXPECT_GT(samples.size(), 1000U);
    const Recipe recipe = read_recipe(json);
    EXPECT_TRUE(recipe.interrupted);
    EXPECT_EQ(recipe.file_samples, samples.size());
  }

  Folder folder;
  std::string clip = tone_clip(folder).string();
};

TEST_F(Printing, AStandardErrorThatIsGoneCostsNothing) {
  int n = 0;
  for (const char* gone : {"exec 2>&-", "exec 2>/dev/full", "exec 0<&- 2>&-"}) {
    const std::string name = path("a" + std::to_string(n++));
    EXPECT_EQ(mambo(render(name + ".wav", "0.2"), gone).code, 0) << gone;
    EXPECT_EQ(read_sound(name + ".wav").samples.size(), 3200U) << gone;
    EXPECT_EQ(read_recipe(name + ".json").file_samples, 3200U) << gone;
    EXPECT_EQ(mambo(probe(name + ".safetensors"), gone).code, 0) << gone;
    EXPECT_EQ(mambo(eval(), gone).code, 0) << gone;
    EXPECT_EQ(mambo({"play", "-m", small_model(), "-s", clip, "--seconds", "0.1"}, gone).code, 0)
        << gone;
    // An error has only its code left.
    EXPECT_EQ(mambo({"info", "-m", "/nowhere"}, gone).code, 1) << gone;
  }
  // What is printed to a closed stream must not go into a file that got its number.
  EXPECT_TRUE(bytes_of(path("a0.wav")) == bytes_of(path("a1.wav")));
  EXPECT_TRUE(bytes_of(path("a2.wav")) == bytes_of(path("a1.wav")));
  EXPECT_TRUE(bytes_of(path("a0.safetensors")) == bytes_of(path("a1.safetensors")));
}

TEST_F(Printing, AnOutputThatFailsIsFailure) {
  const std::vector<std::vector<std::string>> commands = {{"--help"},
                                                          {"--help-all"},
                                                          {"--version"},
                                                          {"render", "--help"},
                                                          {"controls"},
                                                          {"controls", "--json"},
                                                          {"devices", "--json"},
                                                          {"info", "-m", small_model()},
                                                          {"info", "-m", small_model(), "--json"}};
  for (const std::vector<std::string>& words : commands) {
    for (const char* gone : {"exec >/dev/full", "exec >&-"}) {
      const Outcome o = mambo(words, gone);
      EXPECT_EQ(o.code, 1) << words.front() << gone;
      EXPECT_NE(o.err.find("mambo: cannot write the output: "), std::string::npos) << o.err;
      expect_one_line(o.err);
    }
  }
}

TEST_F(Printing, AnOutputThatFailsCostsNoWork) {
  for (const char* json : {"--json", "--force"}) {  // the latter: as people read it
    const std::string name = path(std::string("a") + json);
    std::vector<std::string> words = render(name + ".wav", "0.2");
    words.insert(words.end(), {"--count", "3", "--parallel", "1", json});
    const Outcome o = mambo(words, "exec >/dev/full");
    EXPECT_EQ(o.code, 1);
    EXPECT_NE(o.err.find("cannot write the output"), std::string::npos) << o.err;
    for (const char* number : {"-000", "-001", "-002"}) {
      EXPECT_EQ(read_sound(name + number + ".wav").samples.size(), 3200U);
      EXPECT_FALSE(read_recipe(name + number + ".json").interrupted);
    }
    words = probe(name + ".safetensors");
    words.emplace_back(json);
    EXPECT_EQ(mambo(words, "exec >/dev/full").code, 1);
    EXPECT_TRUE(std::filesystem::exists(name + ".safetensors"));
    words = eval();
    if (json == std::string("--json")) words.emplace_back(json);
    EXPECT_EQ(mambo(words, "exec >/dev/full").code, 1);
  }
}

TEST_F(Printing, QuietIsNothingButErrorsAndWhatWasAskedFor) {
  std::vector<std::string> words = render(path("q.wav"), "0.1");
  words.emplace_back("--quiet");
  const std::vector<std::vector<std::string>> quiet = {
      words,
      words,  // already there
      {"render", "--recipe", path("q.json"), "-q", "-o", path("again.wav")},
      {"probe", "-m", small_model(), "-a", clip, "-q", "-o", path("q.safetensors")}};
  for (const std::vector<std::string>& w : quiet) {
    for (const char* to : {"", "exec >/dev/full"}) {
      std::vector<std::string> all = w;
      if (*to != '\0' && w.front() == "probe") all.emplace_back("--force");
      const Outcome o = mambo(all, to);
      EXPECT_EQ(o.code, 0) << w.back();
      EXPECT_EQ(o.out + o.err, "") << w.back();
    }
  }
  EXPECT_TRUE(bytes_of(path("q.wav")) == bytes_of(path("again.wav")));
  words.emplace_back("--json");
  EXPECT_EQ(mambo(words).json().at("skipped").size(), 1U);
  const Outcome wrong = mambo({"render", "-m", "/nowhere", "-q", "-o", path("n.wav")});
  EXPECT_EQ(wrong.code, 1);
  expect_one_line(wrong.err);
}

TEST_F(Printing, WhenTheReaderOfTheListHasGoneItStopsAsAfterCtrlC) {
  ASSERT_EQ(::mkfifo(path("list").c_str(), 0600), 0);
  std::vector<std::string> words = render(path("i/"), "0.3");
  words.insert(words.end(), {"--count", "1000", "--parallel", "1"});
  const pid_t pid = testing::start_mambo(words, path("list"), folder / "err");
  const int reader = ::open(path("list").c_str(), O_RDONLY);
  char first = 0;
  EXPECT_EQ(::read(reader, &first, 1), 1);
  ::close(reader);
  EXPECT_EQ(testing::wait_for(pid), 130) << bytes_of(folder / "err");
  EXPECT_NE(bytes_of(folder / "err").find("Broken pipe"), std::string::npos);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "i")) {
    if (entry.path().extension() != ".wav") continue;
    ++files;
    EXPECT_EQ(read_recipe(recipe_path(entry.path())).file_samples,
              read_sound(entry.path()).samples.size());
  }
  EXPECT_GT(files, 0U);
  EXPECT_LT(files, 1000U);
}

TEST_F(Printing, SignalsThatEndKeepWhatWasDrawn) {
  for (const int signal : {SIGQUIT, SIGPIPE, SIGHUP, SIGTERM}) {
    const std::string in = path(std::to_string(signal));
    const pid_t pid = start_long(in + "/");
    ::kill(pid, signal);
    EXPECT_EQ(testing::wait_for(pid), 130) << signal;
    expect_kept(in + "/tone-continued-000.wav", in + "/tone-continued-000.json");
    expect_kept(in + "/tone-continued-001.wav", in + "/tone-continued-001.json");
  }
}

}  // namespace
}  // namespace mambo
