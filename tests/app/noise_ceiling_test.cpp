// The ceiling of noise on real sound: it holds what a model makes at temperature 10, and leaves
// alone what models make otherwise and the clips, twelve decibels louder, too.
#include "dsp/noise_ceiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

const fs::path assets = MAMBO_ASSETS;

// What a model draws after a clip, from there on as loud as it is heard.
std::vector<float> drawn(const std::string& name, const std::string& clip, double seconds,
                         float temperature) {
  const auto model = Model::load(assets / "models" / name);
  const int rate = model->config().sample_rate;
  const auto engine = make_engine(model->network(), "cpu", {});
  Voice voice(*engine);
  voice.prefill(encode(load_clip(assets / "seeds" / clip, rate).samples, model->config().encoding));
  voice.set_rng(1);
  SamplingParams sampling = model->config().sampling;
  if (temperature > 0) sampling = {temperature, 0, 1.0F};
  voice.set_sampling(sampling);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(seconds * rate));
  voice.generate(codes);
  const auto table = decode_table(model->config().encoding);
  std::vector<float> sound(codes.size());
  std::transform(codes.begin(), codes.end(), sound.begin(),
                 [&](std::uint8_t code) { return table[code]; });
  return sound;
}

double level_db(const std::vector<float>& x, std::size_t from) {
  double sum = 0;
  for (std::size_t i = from; i < x.size(); ++i) sum += static_cast<double>(x[i]) * x[i];
  return 10 * std::log10(sum / static_cast<double>(x.size() - from));
}

void expect_untouched(const std::vector<float>& sound, const std::string& what) {
  for (const float gain : {1.0F, 4.0F}) {
    NoiseCeiling ceiling;
    ceiling.prepare(16000);
    std::size_t changed = 0;
    for (const float x : sound) changed += ceiling.process(gain * x) == gain * x ? 0U : 1U;
    EXPECT_EQ(changed, 0U) << what << " at gain " << gain;
  }
}

TEST(NoiseCeilingOnRealSound, ClipsPassBitForBitHoweverLoud) {
  int clips = 0;
  for (const auto& file : fs::directory_iterator(assets / "seeds")) {
    if (file.path().extension() != ".wav") continue;
    expect_untouched(load_clip(file.path(), 16000).samples, file.path().filename());
    ++clips;
  }
  EXPECT_GE(clips, 10);
}

TEST(NoiseCeilingOnRealSound, WhatModelsDrawPassesBitForBit) {
  expect_untouched(drawn("piano.safetensors", "piano-joplin.wav", 1.5, 0), "piano");
  expect_untouched(drawn("drums.safetensors", "drums-breakbeat.wav", 1.5, 0), "drums");
}

TEST(NoiseCeilingOnRealSound, ARunawayIsTurnedDown) {
  const std::vector<float> sound = drawn("piano.safetensors", "piano-joplin.wav", 1.5, 10);
  NoiseCeiling ceiling;
  ceiling.prepare(16000);
  std::vector<float> heard(sound.size());
  std::transform(sound.begin(), sound.end(), heard.begin(),
                 [&](float x) { return ceiling.process(x); });
  EXPECT_GT(level_db(sound, 12000), -15);
  EXPECT_LT(level_db(heard, 12000), -24);
}

}  // namespace
}  // namespace mambo
