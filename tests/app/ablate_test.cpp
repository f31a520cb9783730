// `mambo ablate`: its figures are those of a network stepped by hand, its errors are sentences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "model/ablation.h"
#include "model/model.h"
#include "tests/app/support.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::small_model;
using testing::tone_clip;

// Step by step, with its own sum of likelihoods.
double stepped_bits(const Engine& engine, const Selectivity& by_hand,
                    std::span<const std::uint8_t> codes) {
  const auto state = engine.make_state();
  std::vector<float> all(engine.layout().size);
  double nats = 0;
  for (std::size_t t = 0; t + 1 < codes.size(); ++t) {
    engine.step(*state, codes.subspan(t, 1), &by_hand);
    engine.read_state(*state, all);
    const std::span<const float> logits = std::span(all).subspan(engine.layout().logits);
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    nats += std::log(sum) - logits[codes[t + 1]];
  }
  return nats / std::log(2.0) / static_cast<double>(codes.size() - 1);
}

TEST(Ablate, SaysWhatANetworkSteppedByHandSays) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.04);
  const Folder another;
  const auto other = tone_clip(another, 0.03);
  const auto model = Model::load(small_model());
  const auto engine = make_engine(model->network(), "cpu", {WeightStorage::f32, 1, {}});
  const auto codes = encode(load_clip(clip, 16000).samples, Encoding::mulaw8);
  const auto of_other = encode(load_clip(other, 16000).samples, Encoding::mulaw8);
  const std::vector<std::string> words = {"ablate",    "-m",  small_model(), "-a",  clip,
                                          "--weights", "f32", "--backend",   "cpu", "--json"};
  for (const bool own : {true, false}) {
    auto with = words;
    if (!own) with.insert(with.end(), {"--means", other});
    const auto j = mambo(with).json();
    const SelectionMeans means = measure_means(*engine, model->network(), own ? codes : of_other);
    ASSERT_EQ(j.at("rows").size(), ablation_cases(model->network()).size());
    std::vector<double> told;
    std::vector<double> stepped;
    for (const auto& row : j.at("rows")) {
      Selectivity by_hand(engine->layout());
      by_hand.set_means(means);
      LayerSelectivity values;
      values.hold_delta = row.at("hold_delta").get<float>();
      values.hold_B = row.at("hold_B").get<float>();
      values.hold_C = row.at("hold_C").get<float>();
      const auto& tier = row.at("tier");
      for (std::size_t i = 0; i < model->network().layers.size(); ++i) {
        if (tier == "all" || tier == model->network().layers[i].tier)
          by_hand.set(static_cast<int>(i), values);
      }
      told.push_back(row.at("bits_per_sample").get<double>());
      stepped.push_back(stepped_bits(*engine, by_hand, codes));
    }
    // A network of random weights selects little: the rows differ by less than a thousandth of a
    // bit, and have to be right within a small part of that.
    const auto [least, most] = std::minmax_element(stepped.begin(), stepped.end());
    for (std::size_t i = 0; i < told.size(); ++i) {
      EXPECT_NEAR(told[i], stepped[i], 0.1 * (*most - *least)) << j.at("rows").at(i);
    }
  }
}

TEST(Ablate, ATableHasABarPerRow) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.08);
  const Outcome o = mambo({"ablate", "-m", small_model(), "-a", clip, "--backend", "cpu", "-q"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("delta, B, C   all tiers"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("########"), std::string::npos) << o.out;
  EXPECT_EQ(o.err, "");
}

TEST(Ablate, OfTooLittleSoundSaysHowMuchItTakes) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.08);
  const Outcome o = mambo({"ablate", "-m", small_model(), "-a", clip, "--to", "0.0002"});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("a step of every tier, found 3"), std::string::npos) << o.err;
}

}  // namespace
}  // namespace mambo
