// probe and eval against the engine stepped one sample at a time.
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/tensor_file.h"
#include "support.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::mambo;
using testing::Outcome;
using testing::small_model;
using testing::tone_clip;

// Logits after each code, from single steps.
std::vector<float> stepped_logits(const Model& model, std::span<const std::uint8_t> codes) {
  EngineOptions options;
  options.storage = WeightStorage::f32;
  const auto engine = make_engine(model.network(), "cpu", options);
  const auto state = engine->make_state();
  std::vector<float> all, snapshot(engine->layout().size);
  for (const std::uint8_t& code : codes) {
    engine->step(*state, {&code, 1});
    engine->read_state(*state, snapshot);
    const float* logits = snapshot.data() + engine->layout().logits;
    all.insert(all.end(), logits, logits + model.config().vocab_size);
  }
  return all;
}

std::vector<float> floats(const TensorFile& file, const std::string& name) {
  const TensorEntry& t = file.tensors().at(name);
  EXPECT_EQ(t.dtype_name, "F32") << name;
  std::vector<float> values(t.bytes.size() / sizeof(float));
  std::memcpy(values.data(), t.bytes.data(), t.bytes.size());
  return values;
}

// Rows of delta, B and C of one layer, as the engine hands them to a sink.
class Keep : public PrefillSink {
 public:
  explicit Keep(int layer) : layer_(layer) {}
  bool wants_layer(int l) const override { return l == layer_; }
  void layer(int, std::uint64_t, int rows, const float* d, const float* b,
             const float* c) override {
    delta.insert(delta.end(), d, d + rows * d_inner);
    B.insert(B.end(), b, b + rows * d_state);
    C.insert(C.end(), c, c + rows * d_state);
  }
  int d_inner = 0, d_state = 0;
  std::vector<float> delta, B, C;

 private:
  int layer_;
};

TEST(Probe, HoldsWhatTheEngineSays) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.2);
  const auto out = folder / "p.safetensors";
  // From 0.05 s: 2401 samples, not a multiple of any stride.
  const Outcome o = mambo({"probe", "-m", small_model(), "-a", clip, "-o", out, "--from", "0.05",
                           "--weights", "f32", "--to", "0.2000625"});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto model = Model::load(small_model());
  const NetworkView& net = model->network();
  const auto all = encode(load_clip(clip, 16000).samples, Encoding::mulaw8);
  const std::span<const std::uint8_t> codes = std::span(all).subspan(800);

  const TensorFile file = TensorFile::open(out);
  const auto& tokens = file.tensors().at("tokens");
  EXPECT_EQ(tokens.dtype_name, "U8");
  ASSERT_EQ(tokens.bytes.size(), codes.size());
  EXPECT_EQ(std::memcmp(tokens.bytes.data(), codes.data(), codes.size()), 0);
  EXPECT_EQ(file.tensors().size(), 2 + 4 * net.layers.size());

  const auto logits = floats(file, "logits");
  const auto expected = stepped_logits(*model, codes);
  ASSERT_EQ(logits.size(), expected.size());
  float most = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    most = std::max(most, std::abs(logits[i] - expected[i]));
  EXPECT_LT(most, 2e-3F);

  // The tap of generation, forced onto the same codes, would need sampling; prefill cut in single
  // codes is the engine's own step-wise view of delta.
  EngineOptions options;
  options.storage = WeightStorage::f32;
  const auto engine = make_engine(net, "cpu", options);
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    const LayerView& layer = net.layers[l];
    const TierView& tier = net.tiers[static_cast<std::size_t>(layer.tier)];
    const auto state = engine->make_state();
    Keep keep(static_cast<int>(l));
    keep.d_inner = tier.d_inner;
    keep.d_state = net.d_state;
    for (std::size_t at = 0; at < codes.size(); at += 7) {
      engine->prefill(*state, codes.subspan(at, std::min<std::size_t>(7, codes.size() - at)),
                      &keep);
    }
    const auto delta = floats(file, layer.name + ".delta");
    const auto horizon = floats(file, layer.name + ".horizon");
    const std::size_t steps = codes.size() / static_cast<std::size_t>(tier.stride);
    ASSERT_EQ(delta.size(), steps * static_cast<std::size_t>(tier.d_inner)) << layer.name;
    ASSERT_EQ(keep.delta.size(), delta.size()) << layer.name;
    const auto b = floats(file, layer.name + ".B");
    const auto c = floats(file, layer.name + ".C");
    ASSERT_EQ(b.size(), keep.B.size());
    for (std::size_t i = 0; i < delta.size(); ++i)
      ASSERT_NEAR(delta[i], keep.delta[i], 1e-4F) << layer.name;
    for (std::size_t i = 0; i < b.size(); ++i) ASSERT_NEAR(b[i], keep.B[i], 1e-3F) << layer.name;
    for (std::size_t i = 0; i < c.size(); ++i) ASSERT_NEAR(c[i], keep.C[i], 1e-3F) << layer.name;
    const auto a_log = to_float(std::get<S6View>(layer.params).A_log);
    for (std::size_t i = 0; i < delta.size(); i += 97) {
      const auto channel = i % static_cast<std::size_t>(tier.d_inner);
      double slowest = 1e30;
      for (int n = 0; n < net.d_state; ++n) {
        slowest =
            std::min(slowest, std::exp(static_cast<double>(a_log[channel * net.d_state + n])));
      }
      const double tau = tier.stride / (16000.0 * static_cast<double>(delta[i]) * slowest);
      ASSERT_NEAR(horizon[i] / tau, 1, 1e-4) << layer.name;
    }
  }
}

TEST(Probe, OfATimeInvariantLayerWritesItsConstants) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.05);
  const auto out = folder / "p.safetensors";
  const std::string model = testing::golden("s4d-unet.safetensors");
  const Outcome o = mambo({"probe", "-m", model, "-a", clip, "-o", out, "--png", folder / "png"});
  ASSERT_EQ(o.code, 0) << o.err;
  const TensorFile file = TensorFile::open(out);
  EXPECT_TRUE(file.has("center.0.B"));
  EXPECT_FALSE(file.has("up.0.1.B"));
  EXPECT_FALSE(file.has("up.0.1.C"));
  const auto delta = floats(file, "up.0.1.delta");
  const auto horizon = floats(file, "up.0.1.horizon");
  const TensorFile weights = TensorFile::open(model);
  const auto log_dt = to_float(weights.get("up.0.1.log_dt", {32}));
  const auto a_log = to_float(weights.get("up.0.1.A_log", {32, 8}));
  ASSERT_EQ(delta.size(), 800U * 32);
  ASSERT_EQ(horizon.size(), delta.size());
  for (std::size_t i = 0; i < delta.size(); ++i) {
    const std::size_t c = i % 32;
    const auto first = a_log.begin() + static_cast<std::ptrdiff_t>(c * 8);
    const float slowest = std::exp(*std::min_element(first, first + 8));
    ASSERT_NEAR(delta[i] / std::exp(log_dt[c]), 1, 1e-6);
    ASSERT_NEAR(horizon[i] * 16000 * delta[i] * slowest, 1, 1e-5);
  }
}

TEST(Probe, ChoosesLayersAndDrawsThem) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.2);
  const auto out = folder / "p.safetensors";
  const Outcome o = mambo({"probe", "-m", small_model(), "-a", clip, "-o", out, "--layers",
                           "down.0.0,center.0", "--no-logits", "--png", folder / "png"});
  ASSERT_EQ(o.code, 0) << o.err;
  const TensorFile file = TensorFile::open(out);
  EXPECT_EQ(file.tensors().size(), 9U);
  EXPECT_FALSE(file.has("logits"));
  for (const char* layer : {"down.0.0", "center.0"}) {
    const std::string png = testing::bytes_of(folder / "png" / (std::string(layer) + ".delta.png"));
    ASSERT_GT(png.size(), 1000U);
    EXPECT_EQ(png.substr(1, 3), "PNG");
  }
}

TEST(Probe, SaysWhatItWroteAsJson) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.2);
  const auto out = folder / "p.safetensors";
  const auto j = mambo({"probe", "-m", small_model(), "-a", clip, "-o", out, "--layers", "center.0",
                        "--png", folder / "png", "--json"})
                     .json();
  EXPECT_EQ(j.at("file"), out.string());
  EXPECT_EQ(j.at("file_bytes"), std::filesystem::file_size(out));
  EXPECT_EQ(j.at("tensors"), 6);
  EXPECT_NEAR(j.at("seconds_of_audio").get<double>(), 0.2, 1e-3);
  ASSERT_EQ(j.at("pictures").size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(j.at("pictures")[0].get<std::string>()));
}

TEST(Probe, ShorterThanAGroupGivesEmptyInnerTiers) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.2);
  const auto out = folder / "p.safetensors";
  const Outcome o = mambo({"probe", "-m", small_model(), "-a", clip, "-o", out, "--to", "0.000125",
                           "--png", folder / "png"});
  ASSERT_EQ(o.code, 0) << o.err;
  const TensorFile file = TensorFile::open(out);
  EXPECT_EQ(file.tensors().at("tokens").shape, std::vector<std::int64_t>{2});
  EXPECT_EQ(file.tensors().at("center.0.delta").shape.at(0), 0);
}

TEST(Probe, AFullDiskLeavesNothing) {
  const testing::SmallDisk disk(256);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  const Folder folder;
  const auto clip = tone_clip(folder, 0.5);
  const Outcome o = mambo({"probe", "-m", small_model(), "-a", clip, "-o", disk / "p.safetensors"});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("No space left"), std::string::npos) << o.err;
  EXPECT_FALSE(std::filesystem::exists(disk / "p.safetensors"));
}

TEST(Eval, IsTheMeanSurpriseOfAllButTheFirstCode) {
  const Folder folder;
  const auto first = tone_clip(folder, 0.1);
  const auto second = folder / "second.wav";
  testing::write_sound(second, testing::tone(0.02, 44100, 2), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  const auto model = Model::load(small_model());
  double nats = 0;
  double terms = 0;
  for (const auto& path : {first, second}) {
    const auto codes = encode(load_clip(path, 16000).samples, Encoding::mulaw8);
    const auto logits = stepped_logits(*model, codes);
    for (std::size_t t = 1; t < codes.size(); ++t) {
      const float* row = &logits[(t - 1) * 256];
      double sum = 0;
      for (int v = 0; v < 256; ++v) sum += std::exp(static_cast<double>(row[v]));
      nats += std::log(sum) - row[codes[t]];
      terms += 1;
    }
  }
  const auto j =
      mambo({"eval", "-m", small_model(), "-a", first, second, "--weights", "f32", "--json"})
          .json();
  EXPECT_NEAR(j.at("bits_per_sample").get<double>(), nats / std::log(2.0) / terms, 1e-4);
  EXPECT_NEAR(j.at("seconds_of_audio").get<double>(), 0.12, 1e-3);
  EXPECT_GT(j.at("real_time_factor"), 0);
  ASSERT_EQ(j.at("clips").size(), 2U);
  EXPECT_EQ(j.at("clips").at(1).at("path"), second.string());
}

TEST(Eval, WhatIsBeforeTheScoreIsContext) {
  const Folder folder;
  const auto clip = tone_clip(folder, 0.1);
  const auto codes = encode(load_clip(clip, 16000).samples, Encoding::mulaw8);
  const auto model = Model::load(small_model());
  const std::span<const std::uint8_t> heard = std::span(codes).subspan(160, 1120);  // 10 to 80 ms
  const auto logits = stepped_logits(*model, heard);
  double nats = 0;
  for (std::size_t t = 480; t < heard.size(); ++t) {  // from 40 ms on
    const float* row = &logits[(t - 1) * 256];
    double sum = 0;
    for (int v = 0; v < 256; ++v) sum += std::exp(static_cast<double>(row[v]));
    nats += std::log(sum) - row[heard[t]];
  }
  const auto j = mambo({"eval", "-m", small_model(), "-a", clip, "--weights", "f32", "--from",
                        "0.01", "--to", "0.08", "--score-from", "0.04", "--json"})
                     .json();
  EXPECT_NEAR(j.at("bits_per_sample").get<double>(), nats / std::log(2.0) / 640, 1e-4);
  EXPECT_NEAR(j.at("seconds_judged").get<double>(), 0.04, 1e-6);
  EXPECT_NEAR(j.at("seconds_of_audio").get<double>(), 0.07, 1e-6);
  const Outcome late = mambo({"eval", "-m", small_model(), "-a", clip, "--score-from", "0.1"});
  EXPECT_EQ(late.code, 1);
  EXPECT_NE(late.err.find("expected --score-from before its end at 0.100 s, found 0.1 s"),
            std::string::npos)
      << late.err;
}

}  // namespace
}  // namespace mambo
