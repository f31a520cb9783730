#include "app/offline/recipe.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tests/fuzz/mutator.h"

namespace mambo {
namespace {

Recipe sample() {
  Recipe r;
  r.version = "0.1.0";
  r.model_path = "/models/m.safetensors";
  r.model_name = "m";
  r.model_sha256 = std::string(64, 'a');
  r.sample_rate = 16000;
  r.clip_path = "/clips/c.wav";
  r.clip_sha256 = std::string(64, 'b');
  r.clip_from_s = 0.1;
  r.sampling = {0.9F, 50, 0.95F};
  r.rng_seed = 18446744073709551615ULL;
  r.samples = 160000;
  r.backend = "cpu";
  r.weights = "half";
  r.part = Part::joined;
  r.format = FileFormat::flac;
  r.file_rate = 48000;
  r.file = "c.flac";
  r.file_samples = 480000;
  r.interrupted = true;
  return r;
}

TEST(Recipe, SurvivesItsJson) {
  const Recipe r = sample();
  const Recipe back = parse_recipe(recipe_json(r), "r.json");
  EXPECT_TRUE(same_sound(r, back));
  EXPECT_EQ(back.sampling, r.sampling);
  EXPECT_EQ(back.rng_seed, r.rng_seed);
  EXPECT_EQ(back.model_path, r.model_path);
  EXPECT_EQ(back.clip_path, r.clip_path);
  EXPECT_EQ(back.file_samples, r.file_samples);
  EXPECT_TRUE(back.interrupted);
}

// A program that does not know these keys refuses the file by its number instead of drawing others.
TEST(Recipe, LaterControlsOfTheDrawHaveANumberOfTheirOwn) {
  Recipe r = sample();
  EXPECT_EQ(nlohmann::json::parse(recipe_json(r)).at("mambo_recipe"), 1);
  EXPECT_FALSE(nlohmann::json::parse(recipe_json(r)).contains("floor"));
  r.sampling = {0.9F, 50, 0.95F, 0.05F, 1e-5F, 3.5F};
  const auto j = nlohmann::json::parse(recipe_json(r));
  EXPECT_EQ(j.at("mambo_recipe"), 3);
  EXPECT_EQ(j.at("floor"), 1e-5);
  EXPECT_EQ(parse_recipe(j.dump(), "r.json").sampling, r.sampling);
  for (const auto& [key, value] : std::vector<std::pair<const char*, nlohmann::json>>{
           {"min_p", 1.5}, {"floor", 0}, {"gate", 8.5}, {"gate", "3"}}) {
    nlohmann::json bad = j;
    bad[key] = value;
    EXPECT_THROW(parse_recipe(bad.dump(), "r.json"), Error) << key;
  }
}

// What is set of layers is kept; where nothing is, the recipe is as it was before there was such.
TEST(Recipe, KeepsWhatIsSetOfLayers) {
  Recipe r = sample();
  const std::string plain = recipe_json(r);
  EXPECT_EQ(plain.find("\"set\""), std::string::npos);
  EXPECT_NE(plain.find("\"mambo_recipe\": 1,"), std::string::npos);
  r.layers = in_short({{ControlId::read, *parse_target("down.0.1"), 0.1},
                       {ControlId::hold_B, kAllTargets, 1},
                       {ControlId::hold_B, tier_target(1), 0.5}});
  const std::string json = recipe_json(r);
  EXPECT_NE(json.find("\"mambo_recipe\": 3,"), std::string::npos);
  const Recipe back = parse_recipe(json, "r.json");
  EXPECT_EQ(back.layers, r.layers);
  EXPECT_TRUE(same_sound(back, r));
  EXPECT_EQ(parse_recipe(recipe_metadata(r), "metadata").layers, r.layers);
  Recipe other = r;
  other.layers.pop_back();
  EXPECT_FALSE(same_sound(other, r));
  for (const auto& [from, to, part] :
       {std::array<std::string, 3>{"\"hold_B\": 1.0", "\"hold_B\": 1.5", "hold_B: expected"},
        {"\"hold_B\": 1.0", "\"hold_B\": null", "hold_B: expected"},
        {"\"hold_B\": 1.0", "\"top_k\": 1",
         "expected a control of layers that has a value, found top_k"},
        {"\"hold_B\": 1.0", "\"forget\": 1", "found forget"},
        {"hold_B.tier1", "hold_B.tier9", "found tier9"},
        {"hold_B.tier1", "hold.tier1", "found hold"},
        {"\"set\": {", "\"set\": 3, \"x\": {",
         "expected values by the names of controls, found 3"}}) {
    std::string bad = json;
    const std::size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    try {
      parse_recipe(bad, "r.json");
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
      EXPECT_EQ(std::string(e.what()).rfind("r.json: set", 0), 0U) << e.what();
    }
  }
}

TEST(Recipe, SameSoundHearsEveryDifference) {
  const Recipe r = sample();
  const auto differs = [&](auto change) {
    Recipe other = r;
    change(other);
    return !same_sound(r, other);
  };
  EXPECT_TRUE(differs([](Recipe& o) { o.model_sha256[3] = 'c'; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.clip_sha256[3] = 'c'; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.clip_from_s = 0.2; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.clip_to_s = 1; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.temperature = 0.91F; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.top_k = 51; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.top_p = 0.96F; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.min_p = 0.01F; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.floor = 1e-5F; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.sampling.gate = 2.0F; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.rng_seed -= 1; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.samples += 1; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.backend = "cuda"; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.weights = "f32"; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.part = Part::seed; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.format = FileFormat::ogg; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.file_rate = 44100; }));
  EXPECT_TRUE(differs([](Recipe& o) { o.encoding = Encoding::linear8; }));
  // Paths and the program's version change no sample.
  EXPECT_FALSE(differs([](Recipe& o) { o.model_path = o.clip_path = "/elsewhere"; }));
  EXPECT_FALSE(differs([](Recipe& o) { o.version = "9.9.9"; }));
  EXPECT_FALSE(differs([](Recipe& o) { o.engine = "another"; }));
}

TEST(Recipe, BadOnesAreRefusedByName) {
  const auto good = nlohmann::json::parse(recipe_json(sample()));
  const auto expect_refused = [](const std::string& text) {
    try {
      parse_recipe(text, "r.json");
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& e) {
      const std::string what = e.what();
      EXPECT_EQ(what.rfind("r.json: ", 0), 0U) << what;
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    }
  };
  for (const char* text : {"", "{", "[]", "3", "{}", "{\"mambo_recipe\":7}"}) expect_refused(text);
  for (const char* key : {"part", "model_sha256", "samples", "rng_seed", "format", "file_rate_hz",
                          "temperature", "weights"}) {
    nlohmann::json without = good;
    without.erase(key);
    expect_refused(without.dump());
    nlohmann::json strange = good;
    strange[key] = nlohmann::json::array();
    expect_refused(strange.dump());
  }
  const std::vector<std::pair<const char*, nlohmann::json>> absurd = {
      {"temperature", -1},
      {"top_k", -1},
      {"top_p", 0},
      {"file_rate_hz", 0},
      {"samples", 1e30},
      {"format", "mp3"},
      {"part", "all"},
      {"encoding", "alaw"},
      {"sample_rate_hz", -1},
      {"clip_from_seconds", -1},
      {"mambo_recipe", "1"},
      // What lies outside the options' ranges, or is of another kind.
      {"file_rate_hz", 2e9},
      {"file_rate_hz", 2000000000},
      {"file_rate_hz", 7999},
      {"file_rate_hz", 1e23},
      {"sample_rate_hz", 1e23},
      {"sample_rate_hz", 16000.5},
      {"sample_rate_hz", 400000},
      {"samples", 86401ULL * 16000},
      {"samples", 9e19},
      {"samples", 0.5},
      {"top_k", 0.5},
      {"top_k", 1e23},
      {"top_k", 257},
      {"temperature", 1e300},
      {"temperature", 11},
      {"temperature", "1"},
      {"rng_seed", -1},
      {"rng_seed", 0.5},
      {"clip_to_seconds", 1e300},
      {"clip_from_seconds", 86401},
      {"file_samples", 1e23},
      {"file_samples", -1},
      {"interrupted", 1},
      {"backend", "abacus"},
      {"weights", "f64"},
      {"model_sha256", "abc"},
      {"clip_sha256", "../x"},
      {"file_sha256", "abc"},
      {"model_path", std::string("/m\0x", 4)},
      {"clip_path", std::string("/c\0x", 4)},
      // A stranger's recipe names no file but one beside it.
      {"file", "../../x.flac"},
      {"file", "/abs/x.flac"},
      {"file", "a/x.flac"},
      {"file", ".."},
      {"file", "."},
      {"file", ""},
      {"file", std::string(".bash_profile\0.flac", 19)},
      {"file", "x\n.flac"},
      {"file", "x\x1B[2J.flac"},
      {"file", "x.wav"},
      {"file", ".flac"},
      {"file", ".bash_profile"},
      {"file", std::string(300, 'a') + ".flac"},
      {"file", 3}};
  for (const auto& [key, value] : absurd) {
    nlohmann::json bad = good;
    bad[key] = value;
    expect_refused(bad.dump());
  }
}

TEST(Recipe, ALongOneOfManyKeysIsRefusedOrReadSoon) {
  auto good = recipe_json(sample());
  std::string keys;
  for (int i = 0; i < 300'000; ++i) keys += "\"" + std::to_string(i) + "\":0,";
  good.insert(good.find('{') + 1, keys);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_recipe(good, "r.json").samples, sample().samples);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10))
      << "the square of the keys takes minutes";
}

// Damaged ones, always the same: a recipe within the options' ranges or an Error.
TEST(Recipe, DamagedOnesAreRefusedOrWithinTheRanges) {
  fuzz::Mutator mutator(11);
  const std::string good = recipe_json(sample());
  int whole = 0;
  for (int i = 0; i < 4000; ++i) {
    try {
      const Recipe r = parse_recipe(mutator.mutate(good), "r.json");
      ++whole;
      EXPECT_TRUE(r.file.empty() || std::filesystem::path(r.file).filename() == r.file);
      EXPECT_LE(r.file_rate, 384000);
      EXPECT_LE(r.samples, 86400ULL * 384000);
      EXPECT_LE(r.sampling.top_k, 256);
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).rfind("r.json: ", 0), 0U) << e.what();
    }
  }
  EXPECT_GT(whole, 100);
}

TEST(Recipe, LiesBesideItsFile) { EXPECT_EQ(recipe_path("out/a.b.wav"), "out/a.b.json"); }

}  // namespace
}  // namespace mambo
