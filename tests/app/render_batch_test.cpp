// Many renderings as one, through the program: clips, models, job lists, shares, the best of many.
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill is POSIX
#include <sndfile.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "app/offline/recipe.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::Folder;
using testing::golden;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::small_model;

using Words = std::vector<std::string>;

class Batch : public ::testing::Test {
 protected:
  Batch() {
    std::filesystem::create_directory(folder / "clips");
    for (const double seconds : {0.1, 0.2}) {
      testing::write_sound(folder / ("clips/" + std::string(seconds < 0.15 ? "a" : "b") + ".wav"),
                           testing::tone(seconds, 16000), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    }
  }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  Outcome render(const Words& words, const std::string& setup = "") const {
    Words all = {"render", "-m", small_model(), "-q"};
    if (std::find(words.begin(), words.end(), "--seconds") == words.end()) {
      all.insert(all.end(), {"--seconds", "0.05"});
    }
    all.insert(all.end(), words.begin(), words.end());
    return mambo(all, setup);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
  }
  // Names and bytes of the sound files and recipes below a folder, but for the recipes' paths.
  std::map<std::string, std::string> files_of(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / name)) {
      if (!entry.is_regular_file()) continue;
      files[std::filesystem::relative(entry.path(), folder / name).string()] =
          bytes_of(entry.path());
    }
    return files;
  }
  Folder folder;
};

TEST_F(Batch, OfAFolderAbsorbsEachClipAndDoesNotTakeItsOwnFilesForClips) {
  std::ofstream(folder / "clips/notes.txt") << "no sound";
  const Words words = {"-s", path("clips"), "--count", "2", "-o", path("clips") + "/"};
  const Outcome first = render(words);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(files_of("clips").size(), 3U + 2 * 4U);
  const auto alone = render({"-s", path("clips/b.wav"), "--rng-seed", "2", "-o", path("one.wav")});
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_TRUE(bytes_of(path("one.wav")) == bytes_of(path("clips/b-continued-001.wav")));
  Words again = words;
  again.emplace_back("--json");
  const auto j = render(again).json();
  EXPECT_EQ(j.at("skipped").size(), 4U);
  EXPECT_TRUE(j.at("files").empty());
  EXPECT_EQ(
      render({"-s", path("clips/a.wav"), path("clips/b.wav"), "-o", path("x/{clip}.flac")}).code,
      0);
  EXPECT_EQ(files_of("x").size(), 4U);
}

TEST_F(Batch, AClipThatCannotBeReadDoesNotKeepTheOthers) {
  std::ofstream(folder / "clips/aa.wav") << "RIFF, it says";
  const Outcome o = render({"-s", path("clips"), "-o", path("x") + "/"});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("aa.wav: expected a sound file"), std::string::npos) << o.err;
  EXPECT_EQ(files_of("x").size(), 4U);
}

TEST_F(Batch, TwoTakesOfOneNameAreRefusedBeforeAnythingIsDrawn) {
  const Outcome o = render({"-s", path("clips"), "-o", path("x.wav")});
  EXPECT_EQ(o.code, 2);
  testing::expect_one_line(o.err);
  EXPECT_NE(o.err.find("fields that tell them apart: {clip}"), std::string::npos) << o.err;
  EXPECT_EQ(render({"-s", path("clips"), "-o", path("{nothing}.wav")}).code, 2);
  EXPECT_EQ(folder.names(), Words{"clips"});
}

TEST_F(Batch, OfAJobListIsWhatItsLinesAreAlone) {
  const std::string other = golden("rand-flat.safetensors");
  write("jobs.jsonl",
        "{\"clip\": \"" + path("clips/a.wav") +
            "\", \"temperature\": 0.5, \"rng_seed\": 7, \"output\": \"sub/one.flac\"}\n"
            "{\"clip\": \"" +
            path("clips/b.wav") + "\", \"model\": \"" + other +
            "\", \"seconds\": 0.1, \"output\": \"{model}-{clip}\"}\n"
            "{\"from_silence\": true, \"count\": 2, \"stereo\": true, \"bits\": 24, \"output\": "
            "\"s\"}\n"
            "{\"clip\": \"" +
            path("clips/a.wav") + "\", \"rate\": 44100, \"fade_out\": 0}\n");
  const Outcome o = render({"--jobs", path("jobs.jsonl"), "-o", path("x")});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto made = files_of("x");
  EXPECT_EQ(made.size(), 10U);
  ASSERT_EQ(render({"-s", path("clips/a.wav"), "--temperature", "0.5", "--rng-seed", "7", "-o",
                    path("one.flac")})
                .code,
            0);
  EXPECT_TRUE(made.at("sub/one.flac") == bytes_of(path("one.flac")));
  ASSERT_EQ(mambo({"render", "-m", other, "-s", path("clips/b.wav"), "--seconds", "0.1", "-q", "-o",
                   path("two.wav")})
                .code,
            0);
  EXPECT_TRUE(made.at("rand-flat-b.wav") == bytes_of(path("two.wav")));
  EXPECT_EQ(made.count("a-continued.wav"), 1U);
  const auto both = read_sound(folder / "x/s/from-silence-001.wav");
  EXPECT_EQ(both.channels, 2);
  // The same as CSV, its parts drawn apart.
  write("jobs.csv",
        "clip,model,seconds,temperature,rng_seed,output,from_silence,count,stereo,bits,rate,fade_"
        "out\n" +
            path("clips/a.wav") + ",,,0.5,7,sub/one.flac,,,,,,\n" + path("clips/b.wav") + "," +
            other +
            ",0.1,,,{model}-{clip},,,,,,\n"
            ",,,,,s,true,2,true,24,,\n" +
            path("clips/a.wav") + ",,,,,,,,,,44100,0\n");
  for (const char* shard : {"3/3", "1/3", "2/3"}) {
    const Outcome part = render({"--jobs", path("jobs.csv"), "-o", path("y"), "--shard", shard});
    ASSERT_EQ(part.code, 0) << part.err;
  }
  EXPECT_TRUE(files_of("y") == made);
}

TEST_F(Batch, AStrangersJobsStayInTheirRangesAndFolder) {
  const auto refused = [&](const std::string& line, const std::string& what) {
    write("jobs.jsonl", "{\"from_silence\":true,\"output\":\"fine.wav\"}\n" + line + "\n");
    const Outcome o = render({"--jobs", path("jobs.jsonl"), "-o", path("x")});
    EXPECT_EQ(o.code, 1) << line;
    testing::expect_one_line(o.err);
    EXPECT_NE(o.err.find("jobs.jsonl, line 2: "), std::string::npos) << o.err;
    EXPECT_NE(o.err.find(what), std::string::npos) << o.err;
    EXPECT_EQ(folder.names(), (Words{"clips", "jobs.jsonl"})) << line;
  };
  refused(R"({"output": "../evil.wav"})", "expected a name below the folder of -o");
  refused(R"({"output": "/tmp/evil.wav"})", "expected a name below the folder of -o");
  refused(R"({"output": "a/../../evil.wav"})", "expected a name below the folder of -o");
  refused(R"({"output": "a\u0000.wav"})", "expected text without NUL");
  refused(R"({"clip": "/etc/..", "output": "{clip}/../x.wav"})", "below the folder");
  refused(R"({"temperature": 1e9})", "--temperature: expected 0 to 10, found 1000000000.0");
  refused(R"({"seconds": -1})", "--seconds: expected 0 to 86400 s");
  refused(R"({"count": 1.5})", "--count");
  refused(R"({"top_k": 3.5})", "--top-k");
  refused(R"({"rng_seed": 18446744073709551616})", "--rng-seed");
  refused(R"({"keep": 3, "count": 2})", "expected --keep up to --count");
  refused(R"({"bits": 24, "format": "ogg"})", "exclude each other");
  refused(R"({"stems": true, "normalize": -18})", "exclude each other");
  refused(R"({"force": true})", "expected keys of");
  refused(R"({"jobs": "x"})", "expected keys of");
  refused(R"({"help": true})", "expected keys of");
  refused(R"({"clip": "nowhere.wav"})", "no such file or folder");
  refused(R"({"clip": "clips/a.wav", "from_silence": true})", "exclude each other");
  const Outcome lost = render({"--jobs", path("lost.jsonl"), "-o", path("x")});
  testing::expect_one_line(lost.err);
  EXPECT_NE(lost.err.find("lost.jsonl: no such file or folder"), std::string::npos) << lost.err;
}

TEST_F(Batch, KeepsTheBestAndGoesOnFromThem) {
  const Words words = {"-s", path("clips/a.wav"), "--count", "5",         "--keep",
                       "2",  "--normalize",       "-20",     "--seconds", "0.5",
                       "-o", path("best") + "/",  "--json"};
  const auto j = render(words).json();
  ASSERT_EQ(j.at("files").size(), 2U);
  const auto kept = files_of("best");
  ASSERT_EQ(kept.size(), 4U);
  std::vector<double> scores;
  for (const auto& [name, bytes] : kept) {
    if (!name.ends_with(".json")) continue;
    const auto recipe = nlohmann::json::parse(bytes);
    const auto& verdict = recipe.at("kept_of_many");
    EXPECT_EQ(verdict.at("of"), 5);
    scores.push_back(verdict.at("score").get<double>());
    EXPECT_NEAR(recipe.at("loudness_lufs").get<double>(), -20, 0.05);
    // A kept take is what it is alone: its recipe makes it again, and no other take is better.
    const Outcome o = mambo({"render", "--recipe", (folder / "best" / name).string(), "-o",
                             path("again") + "/" + name.substr(0, name.size() - 5) + ".wav"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.err.find("bit for bit the file"), std::string::npos) << o.err;
  }
  Words more = words;
  more[5] = "5";  // as many as are drawn: without a choice
  more[11] = path("all") + "/";
  ASSERT_EQ(render(more).json().at("files").size(), 5U);
  EXPECT_EQ(render(words).json().at("skipped").size(), 2U);
  // One of them lost: all are drawn again, and the same are chosen.
  std::filesystem::remove(folder / "best" / std::next(kept.begin())->first);  // its sound
  Words narrow = words;
  narrow.insert(narrow.end(), {"--parallel", "3"});
  EXPECT_EQ(render(narrow).json().at("files").size(), 2U);
  EXPECT_TRUE(files_of("best") == kept);
}

TEST_F(Batch, TwoVoicesAreTheTwoMonoTakes) {
  const Words plain = {"-s", path("clips/a.wav"), "--fade-in", "0", "--fade-out", "0"};
  const auto with = [&](const Words& words) {
    Words all = plain;
    all.insert(all.end(), words.begin(), words.end());
    return render(all);
  };
  ASSERT_EQ(with({"--stereo", "--count", "2", "--rng-seed", "5", "-o", path("st.wav")}).code, 0);
  ASSERT_EQ(with({"--count", "4", "--rng-seed", "5", "-o", path("m.wav")}).code, 0);
  for (const int i : {0, 1}) {
    const auto both = read_sound(path("st-00" + std::to_string(i) + ".wav"));
    ASSERT_EQ(both.channels, 2);
    for (const int c : {0, 1}) {
      const auto one = read_sound(path("m-00" + std::to_string(2 * i + c) + ".wav")).samples;
      ASSERT_EQ(both.samples.size(), 2 * one.size());
      for (std::size_t f = 0; f < one.size(); ++f) {
        ASSERT_EQ(both.samples[2 * f + static_cast<std::size_t>(c)], one[f]) << i << c << f;
      }
    }
  }
}

TEST_F(Batch, NoFileEndsInAClick) {
  ASSERT_EQ(render({"-s", path("clips/a.wav"), "--count", "6", "-o", path("x") + "/"}).code, 0);
  for (const auto& [name, bytes] : files_of("x")) {
    if (!name.ends_with(".wav")) continue;
    const auto samples = read_sound(folder / "x" / name).samples;
    EXPECT_EQ(samples.front(), 0);
    EXPECT_EQ(samples.back(), 0);
    for (std::size_t i = samples.size() - 8; i < samples.size(); ++i) {
      EXPECT_LT(std::abs(samples[i]), 0.03F) << name;
    }
  }
  // Without fades the recipe, and so the file, is what it was before there were any.
  ASSERT_EQ(render({"-s", path("clips/a.wav"), "--fade-in", "0", "--fade-out", "0", "-o",
                    path("plain.wav")})
                .code,
            0);
  EXPECT_EQ(nlohmann::json::parse(bytes_of(path("plain.json"))).at("mambo_recipe"), 1);
}

TEST_F(Batch, InterruptedItKeepsWhatIsFinishedAndGoesOn) {
  // Takes finish one after another: when the first are there, most have not begun.
  const Words words = {"render",    "-m", small_model(),  "-s", path("clips/a.wav"),
                       "--seconds", "3",  "--count",      "40", "--threads",
                       "2",         "-o", path("x") + "/"};
  const pid_t pid = testing::start_mambo(words, folder / "out", folder / "err");
  ASSERT_GT(pid, 0);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!std::filesystem::exists(folder / "x/a-continued-001.json") &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(pid, SIGINT);
  EXPECT_EQ(testing::wait_for(pid), 130);
  int whole = 0;
  int cut = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "x")) {
    if (entry.path().extension() != ".json") continue;
    (read_recipe(entry.path()).interrupted ? cut : whole) += 1;
  }
  EXPECT_GE(whole, 2);
  EXPECT_LE(cut, 2);
  EXPECT_LT(whole + cut, 40);
  Words rest = words;
  rest[8] = std::to_string(whole + cut);  // enough to see that it goes on
  rest.insert(rest.end(), {"--json", "-q"});
  const auto j = mambo(rest).json();
  EXPECT_EQ(j.at("skipped").size(), static_cast<std::size_t>(whole));
  EXPECT_EQ(j.at("files").size(), static_cast<std::size_t>(cut));
}

TEST_F(Batch, ProgressCountsFiles) {
  // A line in a log every five seconds is too seldom: a terminal, made by script(1), has a bar.
  if (std::system("command -v script >/dev/null 2>&1") != 0) {  // NOLINT(concurrency-mt-unsafe)
    GTEST_SKIP() << "script(1) is not installed";
  }
  const std::string command = std::string(MAMBO_PROGRAM) + " render -m " + small_model() + " -s " +
                              path("clips/a.wav") + " --seconds 4 --count 2 --parallel 1 -o " +
                              path("x") + "/";
  const std::string all =
      "script -qec '" + command + "' " + path("typescript") + " >/dev/null </dev/null";
  ASSERT_EQ(std::system(all.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  const std::string text = bytes_of(path("typescript"));
  EXPECT_NE(text.find("0 of 2 files"), std::string::npos) << text;
  EXPECT_NE(text.find("1 of 2 files"), std::string::npos) << text;
}

}  // namespace
}  // namespace mambo
