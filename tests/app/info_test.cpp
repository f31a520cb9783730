// mambo info: its output for models of every kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/tensor_file.h"
#include "support.h"

namespace mambo {
namespace {

using testing::expect_one_line;
using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::small_model;

TEST(CommandLine, InfoKnowsTheModel) {
  const auto j = mambo({"info", "-m", testing::piano_model(), "--json"}).json();
  EXPECT_EQ(j.at("name"), "piano-lab");
  EXPECT_EQ(j.at("parameters"), 3557184);
  EXPECT_EQ(j.at("stride_samples"), 256);
  EXPECT_DOUBLE_EQ(j.at("stride_ms"), 16);
  EXPECT_EQ(j.at("tiers").size(), 3U);
  EXPECT_EQ(j.at("layers").size(), 15U);
  EXPECT_GT(j.at("multiply_adds_per_sample_worst"), j.at("multiply_adds_per_sample_mean"));
  EXPECT_EQ(j.at("sha256").get<std::string>().size(), 64U);
  const auto f32 = mambo({"info", "-m", testing::piano_model(), "--backend", "cpu", "--weights",
                          "f32", "--threads", "3", "--json"})
                       .json();
  const std::string engine = f32.at("engine");
  EXPECT_EQ(engine.rfind("CPU, ", 0), 0U) << engine;
  EXPECT_NE(engine.find("float32 weights, 3 threads"), std::string::npos) << engine;
  for (const auto& layer : j.at("layers")) {
    EXPECT_GT(layer.at("horizon_seconds_p95"), layer.at("horizon_seconds_p05"));
  }
  const Outcome people = mambo({"info", "-m", testing::piano_model()});
  EXPECT_EQ(people.code, 0);
  EXPECT_NE(people.out.find("3,557,184"), std::string::npos) << people.out;
  EXPECT_NE(people.out.find("does not say how it was made"), std::string::npos) << people.out;
  EXPECT_EQ(mambo({"info", testing::piano_model(), "--json"}).json(), j);
  const Outcome twice = mambo({"info", testing::piano_model(), "-m", testing::piano_model()});
  EXPECT_EQ(twice.code, 2);
  expect_one_line(twice.err);
}

TEST(CommandLine, TheShippedModelSaysWhereItComesFromAndHowToDrawFromIt) {
  const auto j = mambo({"info", "--json"}).json();
  EXPECT_EQ(j.at("name"), "piano");
  for (const char* key : {"data", "licence", "training_minutes", "held_out_bits", "date"})
    EXPECT_TRUE(j.at("about").contains(key)) << key;
  EXPECT_LT(j.at("sampling").at("temperature"), 1.0);
}

TEST(CommandLine, InfoSaysTheSamplingThatSoundsBest) {
  const Folder folder;
  const std::string model = (folder / "tuned.safetensors").string();
  testing::copy_with_about(small_model(), model,
                           {{"defaults", {{"temperature", 0.95}, {"top_p", 0.98}}}});
  const auto tuned = mambo({"info", "-m", model, "--json"}).json().at("sampling");
  EXPECT_EQ(tuned, testing::sampling_json(0.95, 0, 0.98));
  EXPECT_NE(mambo({"info", "-m", model}).out.find("temperature 0.95, top k off, top p 0.98\n"),
            std::string::npos);
  // A file or folder without defaults: temperature 1, no restriction.
  for (const std::string& plain : {small_model(), testing::golden("hf-flat")}) {
    const auto none = mambo({"info", "-m", plain, "--json"}).json().at("sampling");
    EXPECT_EQ(none, testing::sampling_json(1.0, 0, 1.0));
    EXPECT_NE(mambo({"info", "-m", plain}).out.find("temperature 1, top k off, top p off\n"),
              std::string::npos);
  }
}

TEST(CommandLine, InfoSaysWhereTheDrawIsUseful) {
  const Folder folder;
  const std::string model = (folder / "tuned.safetensors").string();
  testing::copy_with_about(small_model(), model,
                           {{"defaults", {{"min_p", 0.05}, {"floor", 1e-5}, {"gate", 3}}},
                            {"ranges", {{"temperature", {0.7, 1.05}}}}});
  const auto j = mambo({"info", "-m", model, "--json"}).json();
  EXPECT_EQ(j.at("ranges"), (nlohmann::json{{"temperature", {0.7, 1.05}}}));
  EXPECT_EQ(j.at("sampling").at("min_p"), 0.05);
  EXPECT_EQ(j.at("sampling").at("floor"), 1e-5);
  EXPECT_EQ(j.at("sampling").at("gate"), 3.0);
  const std::string out = mambo({"info", "-m", model}).out;
  EXPECT_NE(out.find("temperature 1, top k off, top p off, min p 0.05, floor 1e-05, gate 3\n"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find(" useful temperatures 0.7 to 1.05\n"), std::string::npos) << out;
  EXPECT_EQ(mambo({"info", "-m", small_model(), "--json"}).json().at("ranges"),
            nlohmann::json::object());
}

TEST(CommandLine, InfoSaysWhatIsTimeInvariant) {
  const std::string file = testing::golden("s4d-unet.safetensors");
  const auto j = mambo({"info", "-m", file, "--json"}).json();
  EXPECT_EQ(j.at("tiers").at(0).at("mixer"), "s4d");
  EXPECT_EQ(j.at("tiers").at(1).at("mixer"), "s6");
  const auto& outer = j.at("layers").at(0);
  EXPECT_EQ(outer.at("name"), "down.0.0");
  EXPECT_EQ(outer.at("mixer"), "s4d");
  EXPECT_EQ(outer.at("time_invariant"), true);
  EXPECT_EQ(outer.at("states"), 8);
  const auto& inner = j.at("layers").at(3);
  EXPECT_EQ(inner.at("name"), "center.0");
  EXPECT_EQ(inner.at("mixer"), "s6");
  EXPECT_EQ(inner.at("time_invariant"), false);
  EXPECT_EQ(inner.at("states"), 16);
  // Of its tensors: the median of 1 / (rate exp(log_dt) exp(A_log)).
  const TensorFile tensors = TensorFile::open(file);
  const auto log_dt = to_float(tensors.get("down.0.0.log_dt", {32}));
  const auto a_log = to_float(tensors.get("down.0.0.A_log", {32, 8}));
  std::vector<double> horizons;
  for (std::size_t i = 0; i < a_log.size(); ++i)
    horizons.push_back(std::exp(-static_cast<double>(log_dt[i / 8] + a_log[i])) / 16000);
  std::sort(horizons.begin(), horizons.end());
  EXPECT_NEAR(outer.at("horizon_seconds_p50").get<double>() / horizons[128], 1, 1e-5);
  const Outcome people = mambo({"info", "-m", file});
  EXPECT_NE(people.out.find("s4d, M = 8"), std::string::npos) << people.out;
  EXPECT_NE(people.out.find("time-invariant"), std::string::npos) << people.out;
  const Outcome flat = mambo({"info", "-m", testing::golden("s4d-flat.safetensors")});
  EXPECT_NE(flat.out.find("s4d, M = 3 to 16"), std::string::npos) << flat.out;
}

TEST(CommandLine, InfoReadsAnEcosystemFolder) {
  const auto j =
      mambo({"info", "-m", testing::golden("hf-flat"), "--model-rate", "8000", "--json"}).json();
  EXPECT_EQ(j.at("sample_rate_hz"), 8000);
  EXPECT_EQ(j.at("stride_samples"), 1);
  const Outcome people = mambo({"info", "-m", testing::golden("hf-flat")});
  EXPECT_NE(people.out.find("steps every sample"), std::string::npos) << people.out;
  EXPECT_NE(people.out.find("source: folder of transformers"), std::string::npos) << people.out;
}

}  // namespace
}  // namespace mambo
