// Rendering, through the program: the same again, many, resumed, interrupted, out of room.
// Past 400 lines: all of them look at one fixture's takes.
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill is POSIX
#include <sndfile.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/offline/recipe.h"
#include "model/model.h"
#include "model/sha256.h"
#include "model/voice.h"
#include "support.h"

namespace mambo {
namespace {

using testing::bytes_of;
using testing::copy_with_about;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::read_sound;
using testing::sampling_json;
using testing::small_model;
using testing::tone_clip;

std::string sha256(const std::filesystem::path& path) {
  const std::string bytes = bytes_of(path);
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

class Render : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder / name).string(); }
  // render with the small model on the tone
  Outcome render(std::vector<std::string> words, const std::string& setup = "") const {
    std::vector<std::string> all = {"render", "-m", small_model(), "-s", clip};
    all.insert(all.end(), words.begin(), words.end());
    return mambo(all, setup);
  }
  Folder folder;
  std::string clip = tone_clip(folder).string();
};

TEST_F(Render, WritesTheContinuationAndItsRecipe) {
  const Outcome o = render({"--seconds", "1.5", "-o", path("a.wav")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("a.wav  1.50 s"), std::string::npos) << o.out;
  EXPECT_NE(o.err.find("x real time"), std::string::npos) << o.err;
  const testing::Sound sound = read_sound(path("a.wav"));
  EXPECT_EQ(sound.samples.size(), 24000U);
  EXPECT_EQ(sound.rate, 16000);
  const Recipe recipe = read_recipe(path("a.json"));
  EXPECT_EQ(recipe.samples, 24000U);
  EXPECT_EQ(recipe.file_samples, 24000U);
  EXPECT_FALSE(recipe.interrupted);
  EXPECT_EQ(recipe.model_sha256, sha256(small_model()));
  EXPECT_EQ(recipe.clip_sha256, sha256(clip));
  EXPECT_EQ(recipe.file_sha256, sha256(path("a.wav")));
  EXPECT_TRUE(std::filesystem::path(recipe.model_path).is_absolute());
  // The metadata is the same recipe, less what belongs to this machine.
  const auto inside = nlohmann::json::parse(sound.comment);
  const auto beside = nlohmann::json::parse(bytes_of(path("a.json")));
  for (const auto& [key, value] : inside.items()) EXPECT_EQ(value, beside.at(key)) << key;
  EXPECT_EQ(inside.count("model_path"), 0U);
}

TEST_F(Render, IsTheSameBitForBit) {
  for (const char* format : {"wav", "flac", "ogg"}) {
    const std::string a = path(std::string("a-") + format + "." + format);
    const std::string b = path(std::string("b-") + format + "." + format);
    ASSERT_EQ(render({"--seconds", "0.7", "--rate", "44100", "-o", a}).code, 0);
    ASSERT_EQ(render({"--seconds", "0.7", "--rate", "44100", "-o", b}).code, 0);
    EXPECT_TRUE(bytes_of(a) == bytes_of(b)) << format;
    EXPECT_EQ(read_sound(a).rate, 44100);
  }
  ASSERT_EQ(render({"--seconds", "0.7", "--rng-seed", "2", "-o", path("c.wav")}).code, 0);
  ASSERT_EQ(render({"--seconds", "0.7", "--rng-seed", "3", "-o", path("d.wav")}).code, 0);
  EXPECT_FALSE(read_sound(path("c.wav")).samples == read_sound(path("d.wav")).samples);
}

TEST_F(Render, EachOfManyIsWhatItWouldBeAlone) {
  // More voices than are open at once, longer than a chunk, and not a multiple of it.
  ASSERT_EQ(render({"--seconds", "0.3", "--count", "5", "--parallel", "2", "--rng-seed", "40", "-o",
                    path("many") + "/"})
                .code,
            0);
  for (int i = 0; i < 5; ++i) {
    const std::string alone = path("alone" + std::to_string(i) + ".wav");
    ASSERT_EQ(render({"--seconds", "0.3", "--rng-seed", std::to_string(40 + i), "-o", alone}).code,
              0);
    const std::string one = path("many/tone-continued-00" + std::to_string(i) + ".wav");
    EXPECT_TRUE(bytes_of(one) == bytes_of(alone)) << i;
  }
}

TEST_F(Render, IsWhatTheEngineDraws) {
  const Outcome o = render({"--seconds", "0.5", "--rng-seed", "9", "--temperature", "0.8",
                            "--fade-in", "0", "--fade-out", "0", "-o", path("a.wav")});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto model = Model::load(small_model());
  const auto engine = make_engine(model->network(), "cpu", {});
  Voice generator(*engine);
  generator.prefill(encode(load_clip(clip, 16000).samples, Encoding::mulaw8));
  generator.set_rng(9);
  generator.set_sampling({0.8F, 0, 1.0F});
  std::vector<std::uint8_t> codes(8000);
  generator.generate(codes);  // in one call: render draws in chunks
  EXPECT_TRUE(encode(read_sound(path("a.wav")).samples, Encoding::mulaw8) == codes);
}

TEST_F(Render, DrawsAsTheModelsMakerFoundBestUnlessTold) {
  const std::string model = path("tuned.safetensors");
  copy_with_about(small_model(), model, {{"defaults", {{"temperature", 0.25}, {"top_k", 40}}}});
  const auto draw = [&](const std::string& file, std::vector<std::string> more) {
    more.insert(more.begin(), {"render", "-m", model, "-s", clip, "--seconds", "0.2", "--backend",
                               "cpu", "-q", "-o", path(file)});
    const Outcome o = mambo(more);
    EXPECT_EQ(o.code, 0) << o.err;
    return read_sound(path(file)).samples;
  };
  const auto own = draw("own.wav", {});
  EXPECT_EQ(own, draw("same.wav", {"--temperature", "0.25", "--top-k", "40"}));
  EXPECT_NE(own, draw("other.wav", {"--temperature", "1"}));
  EXPECT_EQ(draw("plain.wav", {"--temperature", "1", "--top-k", "0"}),
            draw("plain2.wav", {"--temperature", "1", "--top-k", "0", "--top-p", "1"}));
  const auto recipe = nlohmann::json::parse(bytes_of(path("own.json")));
  EXPECT_EQ(recipe.at("temperature"), 0.25);
  EXPECT_EQ(recipe.at("top_k"), 40);
  const auto told = mambo({"info", "-m", model, "--json"}).json().at("sampling");
  EXPECT_EQ(told, sampling_json(0.25, 40, 1.0));
}

// What the later controls of the draw do is in the recipe, and drawn again from it; a recipe
// without them is the same as before there were such controls.
TEST_F(Render, MinPFloorAndGateAreDrawnWithAndKept) {
  const auto draw = [&](const std::string& file, std::vector<std::string> more) {
    more.insert(more.begin(), {"render", "-m", small_model(), "-s", clip, "--seconds", "0.2",
                               "--backend", "cpu", "-q", "-o", path(file)});
    const Outcome o = mambo(more);
    EXPECT_EQ(o.code, 0) << o.err;
    return read_sound(path(file)).samples;
  };
  const auto plain = draw("plain.wav", {});
  EXPECT_EQ(plain, draw("off.wav", {"--min-p", "0", "--floor", "1", "--gate", "0"}));
  EXPECT_EQ(bytes_of(path("plain.wav")), bytes_of(path("off.wav")));
  EXPECT_EQ(bytes_of(path("plain.json")).find("min_p"), std::string::npos);
  EXPECT_LT(nlohmann::json::parse(bytes_of(path("plain.json"))).at("mambo_recipe"), 3);
  const auto cut = draw("cut.wav", {"--min-p", "0.6"});
  EXPECT_NE(cut, plain);
  EXPECT_NE(draw("floor.wav", {"--min-p", "0.6", "--floor", "1e-3"}), cut);
  EXPECT_EQ(draw("gate.wav", {"--min-p", "0.6", "--gate", "8"}), plain);
  EXPECT_EQ(read_recipe(path("floor.json")).sampling,
            (SamplingParams{1.0F, 0, 1.0F, 0.6F, 1e-3F, 0.0F}));
  EXPECT_EQ(read_recipe(path("gate.json")).sampling.gate, 8.0F);
  const Outcome again =
      mambo({"render", "--recipe", path("floor.json"), "--force", "-o", path("again.wav")});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(bytes_of(path("again.wav")), bytes_of(path("floor.wav")));
  EXPECT_EQ(mambo({"render", "--floor", "0", "-o", path("x.wav")}).code, 2);
}

// Byte for byte: the file's metadata, too, records the values used, not their origin.
TEST_F(Render, TheModelsOwnSamplingIsTheSameFileAsSayingIt) {
  const std::string model = path("greedy.safetensors");
  copy_with_about(small_model(), model, {{"defaults", {{"temperature", 0}, {"top_p", 0.9}}}});
  const auto file = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"render", "-m", model, "-s", clip, "--seconds", "0.2", "--backend",
                               "cpu", "-q", "-o", path(name)});
    const Outcome o = mambo(more);
    EXPECT_EQ(o.code, 0) << o.err;
    return bytes_of(path(name));
  };
  const std::string own = file("own.wav", {});
  EXPECT_TRUE(own == file("said.wav", {"--temperature", "0", "--top-k", "0", "--top-p", "0.9"}));
  EXPECT_EQ(read_recipe(path("own.json")).sampling, (SamplingParams{0.0F, 0, 0.9F}));
  // Greedy: whatever the random numbers, the same samples.
  file("seed.wav", {"--rng-seed", "7"});
  EXPECT_EQ(read_sound(path("own.wav")).samples, read_sound(path("seed.wav")).samples);
  // Each option given overrides one value, and the rest stays the model's.
  EXPECT_FALSE(own == file("hot.wav", {"--temperature", "1"}));
  EXPECT_EQ(read_recipe(path("hot.json")).sampling, (SamplingParams{1.0F, 0, 0.9F}));
  // Variations draw like a single rendering.
  ASSERT_EQ(mambo({"render", "-m", model, "-s", clip, "--seconds", "0.2", "--backend", "cpu", "-q",
                   "--count", "2", "-o", path("n") + "/"})
                .code,
            0);
  EXPECT_EQ(read_sound(path("own.wav")).samples,
            read_sound(path("n/tone-continued-001.wav")).samples);
}

TEST_F(Render, ARecipeIsExactWhateverTheModelsOwnSampling) {
  const std::string model = path("tuned.safetensors");
  copy_with_about(small_model(), model, {{"defaults", {{"temperature", 0.25}, {"top_k", 40}}}});
  for (const std::vector<std::string>& said :
       {std::vector<std::string>{},
        std::vector<std::string>{"--temperature", "1", "--top-k", "0", "--top-p", "1"}}) {
    std::vector<std::string> words = {"render",    "-m",  model,        "-s",      clip,
                                      "--seconds", "0.2", "-q",         "--force", "--backend",
                                      "cpu",       "-o",  path("a.wav")};
    words.insert(words.end(), said.begin(), said.end());
    ASSERT_EQ(mambo(words).code, 0);
    const Outcome o =
        mambo({"render", "--recipe", path("a.json"), "--force", "-o", path("again.wav")});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_TRUE(bytes_of(path("a.wav")) == bytes_of(path("again.wav")));
  }
}

TEST_F(Render, LeavesTheRecipesOfOtherFilesAlone) {
  const std::string wav = path("take.wav");
  const std::string flac = path("take.flac");
  ASSERT_EQ(render({"--seconds", "0.1", "-o", wav}).code, 0);
  const std::string recipe = bytes_of(path("take.json"));
  const Outcome refused = render({"--seconds", "0.1", "-o", flac});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("is that of take.wav: choose another -o, or --force"),
            std::string::npos)
      << refused.err;
  EXPECT_EQ(bytes_of(path("take.json")), recipe);
  EXPECT_FALSE(std::filesystem::exists(flac));
  ASSERT_EQ(render({"--seconds", "0.1", "-o", flac, "--force"}).code, 0);
  EXPECT_NE(bytes_of(path("take.json")), recipe);
  // A recipe whose file is gone belongs to no file.
  std::filesystem::remove(flac);
  std::filesystem::remove(wav);
  EXPECT_EQ(render({"--seconds", "0.1", "-o", wav}).code, 0);

  std::ofstream(path("mine.json")) << "{\"notes\": 1}";
  const Outcome mine = render({"--seconds", "0.1", "-o", path("mine.wav")});
  EXPECT_EQ(mine.code, 1);
  EXPECT_NE(mine.err.find("there and is no recipe"), std::string::npos) << mine.err;
  EXPECT_EQ(bytes_of(path("mine.json")), "{\"notes\": 1}");
}

TEST_F(Render, SkipsWhatIsFinishedAndMakesTheRest) {
  const std::vector<std::string> words = {"--seconds", "0.2",         "--count", "4",
                                          "-o",        path("t.wav"), "--json"};
  const auto first = render(words).json();
  ASSERT_EQ(first.at("files").size(), 4U);
  std::filesystem::remove(path("t-001.wav"));
  const std::string kept = bytes_of(path("t-002.wav"));
  const Outcome o = render(words);
  const auto second = o.json();
  EXPECT_EQ(second.at("skipped").size(), 3U);
  ASSERT_EQ(second.at("files").size(), 1U);
  EXPECT_EQ(second.at("files").at(0), path("t-001.wav"));
  EXPECT_EQ(second.at("sha256").at(0), first.at("sha256").at(1));
  EXPECT_NE(o.err.find("already there"), std::string::npos) << o.err;
  // Another recipe replaces a file that mambo made; --force makes all files again.
  EXPECT_EQ(
      render({"--seconds", "0.1", "-o", path("t-002.wav"), "--json"}).json().at("files").size(),
      1U);
  EXPECT_FALSE(bytes_of(path("t-002.wav")) == kept);
  std::vector<std::string> force = words;
  force.emplace_back("--force");
  EXPECT_EQ(render(force).json().at("files").size(), 4U);
  EXPECT_TRUE(bytes_of(path("t-002.wav")) == kept);
}

TEST_F(Render, DoesNotTouchForeignFiles) {
  ASSERT_EQ(render({"--seconds", "0.1", "-o", path("a.wav")}).code, 0);
  std::ofstream(path("a.wav"), std::ios::app) << "edited by hand";
  const std::string edited = bytes_of(path("a.wav"));
  const Outcome o = render({"--seconds", "0.1", "-o", path("a.wav")});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("--force"), std::string::npos) << o.err;
  EXPECT_TRUE(bytes_of(path("a.wav")) == edited);
  EXPECT_EQ(render({"--seconds", "0.1", "-o", path("a.wav"), "--force"}).code, 0);
  EXPECT_FALSE(bytes_of(path("a.wav")) == edited);
}

TEST_F(Render, ARecipeMakesTheFileAgain) {
  ASSERT_EQ(render({"--seconds", "0.3", "--temperature", "0.9", "--top-k", "50", "--top-p", "0.95",
                    "--from", "0.1", "--to", "0.4", "--weights", "f32", "--with-seed", "-o",
                    path("a.flac")})
                .code,
            0);
  const Outcome o = mambo({"render", "--recipe", path("a.json"), "-o", path("again.flac")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("bit for bit the file"), std::string::npos) << o.err;
  EXPECT_TRUE(bytes_of(path("a.flac")) == bytes_of(path("again.flac")));
  std::filesystem::remove(path("a.flac"));
  ASSERT_EQ(mambo({"render", "--recipe", path("a.json")}).code, 0);  // beside its recipe
  EXPECT_TRUE(bytes_of(path("a.flac")) == bytes_of(path("again.flac")));
}

TEST_F(Render, ARecipeChecksModelAndClip) {
  ASSERT_EQ(render({"--seconds", "0.1", "-o", path("a.wav")}).code, 0);
  testing::write_sound(folder / "other.wav", testing::tone(0.2, 16000),
                       SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  const Outcome clip_differs =
      mambo({"render", "--recipe", path("a.json"), "-s", path("other.wav"), "-o", path("b.wav")});
  EXPECT_EQ(clip_differs.code, 1);
  EXPECT_NE(clip_differs.err.find("expected SHA-256"), std::string::npos) << clip_differs.err;
  const Outcome model_differs =
      mambo({"render", "--recipe", path("a.json"), "-m", testing::golden("rand-flat.safetensors"),
             "-o", path("b.wav")});
  EXPECT_EQ(model_differs.code, 1);
  EXPECT_NE(model_differs.err.find("expected SHA-256"), std::string::npos) << model_differs.err;
  EXPECT_FALSE(std::filesystem::exists(path("b.wav")));
}

TEST_F(Render, ARecipeSaysWhatIsLostAndWhatWasCutShort) {
  ASSERT_EQ(render({"--seconds", "0.2", "-o", path("a.wav")}).code, 0);
  const Recipe recipe = read_recipe(path("a.json"));
  const auto again = [&](const Recipe& changed) {
    write_recipe(path("a.wav"), changed);
    return mambo({"render", "--recipe", path("a.json"), "-o", path("again.wav"), "--force"});
  };
  Recipe moved = recipe;
  moved.model_path = path("gone.safetensors");
  const Outcome no_model = again(moved);
  EXPECT_EQ(no_model.code, 1);
  EXPECT_NE(no_model.err.find("--model names the recipe's where it is now"), std::string::npos)
      << no_model.err;
  moved = recipe;
  moved.clip_path = path("gone.wav");
  const Outcome no_clip = again(moved);
  EXPECT_EQ(no_clip.code, 1);
  EXPECT_NE(no_clip.err.find("--seed-clip names the recipe's"), std::string::npos) << no_clip.err;
  Recipe cut = recipe;
  cut.interrupted = true;
  cut.file_samples = recipe.file_samples / 2;
  const Outcome whole = again(cut);
  EXPECT_EQ(whole.code, 0);
  EXPECT_NE(whole.err.find("cut short at 0.10 s; this is the whole"), std::string::npos)
      << whole.err;
  EXPECT_TRUE(bytes_of(path("again.wav")) == bytes_of(path("a.wav")));
}

TEST_F(Render, StemsAddUp) {
  ASSERT_EQ(render({"--seconds", "0.2", "--stems", "--count", "2", "-o", path("s") + "/"}).code, 0);
  const auto seed = read_sound(path("s/tone-continued-seed.wav")).samples;
  const auto tail = read_sound(path("s/tone-continued-001-continuation.wav")).samples;
  const auto both = read_sound(path("s/tone-continued-001-joined.wav")).samples;
  EXPECT_EQ(seed.size(), 8000U);
  EXPECT_EQ(tail.size(), 3200U);
  std::vector<float> sum = seed;
  sum.insert(sum.end(), tail.begin(), tail.end());
  EXPECT_TRUE(both == sum);
  const Outcome o =
      mambo({"render", "--recipe", path("s/tone-continued-seed.json"), "-o", path("s.wav")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(bytes_of(path("s.wav")) == bytes_of(path("s/tone-continued-seed.wav")));
}

TEST_F(Render, FromSilence) {
  ASSERT_EQ(mambo({"render", "-m", small_model(), "--from-silence", "--seconds", "0.2", "-o",
                   path("q.wav")})
                .code,
            0);
  EXPECT_EQ(read_sound(path("q.wav")).samples.size(), 3200U);
  EXPECT_TRUE(read_recipe(path("q.json")).clip_sha256.empty());
}

TEST_F(Render, InterruptedItLeavesValidShorterFiles) {
  const std::vector<std::string> words = {"render",    "-m",    small_model(),  "-s", clip,
                                          "--seconds", "20000", "--count",      "2",  "--parallel",
                                          "2",         "-o",    path("i") + "/"};
  const pid_t pid = testing::start_mambo(words, folder / "out", folder / "err");
  ASSERT_GT(pid, 0);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::uint64_t written = 0;  // to the temporary files
  while (written < 20000 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    written = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "i", error)) {
      written += entry.file_size(error);
    }
  }
  ::kill(pid, SIGINT);
  EXPECT_EQ(testing::wait_for(pid), 130);
  EXPECT_NE(bytes_of(folder / "err").find("mambo: interrupted"), std::string::npos);
  for (const char* name : {"i/tone-continued-000", "i/tone-continued-001"}) {
    const auto samples = read_sound(path(std::string(name) + ".wav")).samples;
    const Recipe recipe = read_recipe(path(std::string(name) + ".json"));
    EXPECT_GT(samples.size(), 2000U);
    EXPECT_EQ(recipe.file_samples, samples.size());
    EXPECT_EQ(recipe.samples, 320000000U);
    EXPECT_TRUE(recipe.interrupted);
    EXPECT_EQ(samples.back(), 0);  // faded out, wherever it was stopped
  }
  // The samples drawn are the beginning of the whole, which fades out in its last 5 ms.
  const auto part = read_sound(path("i/tone-continued-000.wav")).samples;
  ASSERT_EQ(render({"--seconds", "0.1", "-o", path("whole.wav")}).code, 0);
  const auto whole = read_sound(path("whole.wav")).samples;
  EXPECT_TRUE(std::equal(whole.begin(), whole.end() - 80, part.begin()));
  for (const std::string& name : folder.names())
    EXPECT_EQ(name.find(".part"), std::string::npos) << name;
}

TEST_F(Render, InterruptedWhileItListensItLeavesNothing) {
  testing::write_sound(folder / "long.wav", testing::tone(900, 16000),
                       SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  const pid_t pid = testing::start_mambo(
      {"render", "-m", small_model(), "-s", path("long.wav"), "-o", path("a.wav")}, folder / "out",
      folder / "err");
  ASSERT_GT(pid, 0);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(1500));  // of some 30 s that absorbing would take
  const auto start = std::chrono::steady_clock::now();
  ::kill(pid, SIGINT);
  EXPECT_EQ(testing::wait_for(pid), 130);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"err", "long.wav", "out", "tone.wav"}));
}

void expect_cut_short(const Outcome& o, const std::string& wav, const std::string& json) {
  EXPECT_EQ(o.code, 1) << o.err;
  EXPECT_NE(o.err.find("cannot write more of"), std::string::npos) << o.err;
  const auto samples = read_sound(wav).samples;
  EXPECT_GT(samples.size(), 16000U);
  const Recipe recipe = read_recipe(json);
  EXPECT_TRUE(recipe.interrupted);
  EXPECT_EQ(recipe.file_samples, samples.size());
}

TEST_F(Render, AFullDiskLeavesAValidShorterFile) {
  const testing::SmallDisk disk(256);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  const Outcome o = render({"--seconds", "60", "-q", "-o", (disk / "a.wav").string()});
  expect_cut_short(o, disk / "a.wav", disk / "a.json");
  EXPECT_NE(o.err.find("No space left on device"), std::string::npos) << o.err;
}

TEST_F(Render, AFileSizeLimitLeavesAValidShorterFile) {
  const Outcome o = render({"--seconds", "60", "-q", "-o", path("a.wav")}, "ulimit -f 400");
  expect_cut_short(o, path("a.wav"), path("a.json"));
}

}  // namespace
}  // namespace mambo
