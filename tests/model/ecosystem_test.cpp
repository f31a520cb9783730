// Folders as transformers' MambaForCausalLM.save_pretrained writes them.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "model/model.h"
#include "tests/model/temp_folder.h"
#include "tests/model/tiny_model.h"

namespace mambo {
namespace {

using testing::error_of;
using testing::TempFolder;
using testing::TinyModel;
using testing::write_file;

const std::string hf_flat = std::string(MAMBO_TEST_DATA) + "/hf-flat";

TEST(EcosystemFolder, TheOracleLoadsFromAnyOfItsPaths) {
  for (const std::string& path :
       {hf_flat, hf_flat + "/config.json", hf_flat + "/model.safetensors"}) {
    const auto m = Model::load(path);
    EXPECT_EQ(m->config().name, "hf-flat") << path;
    EXPECT_EQ(m->config().sample_rate, 16000);
    EXPECT_EQ(m->config().encoding, Encoding::mulaw8);
    const NetworkView& net = m->network();
    ASSERT_EQ(net.layers.size(), 4U);
    EXPECT_EQ(net.layers[3].name, "center.3");
    EXPECT_EQ(net.layers[3].dt_rank(), 4);
    EXPECT_EQ(net.layers[3].side, Side::center);
    EXPECT_EQ(net.tiers[0].down_end, 4);
    EXPECT_EQ(net.head.data, net.embed.data);  // tied
    EXPECT_FALSE(net.head_bias);
    EXPECT_EQ(m->stats().parameters, 147264U);
    EXPECT_EQ(m->stats().state_bytes, 4U * (4 * 19 * 128 + 256));
  }
}

// A small folder: hidden 3, one layer, N = 2, K = 3, R = 1 (which "auto" gives, too).
class Folder : public ::testing::Test {
 protected:
  Folder() {
    const std::string l = "backbone.layers.0.";
    tensors["backbone.embeddings.weight"] = {{256, 3}};
    tensors["backbone.norm_f.weight"] = {{3}};
    tensors[l + "norm.weight"] = {{3}};
    tensors[l + "mixer.in_proj.weight"] = {{12, 3}};
    tensors[l + "mixer.conv1d.weight"] = {{6, 1, 3}};
    tensors[l + "mixer.conv1d.bias"] = {{6}};
    tensors[l + "mixer.x_proj.weight"] = {{5, 6}};
    tensors[l + "mixer.dt_proj.weight"] = {{6, 1}};
    tensors[l + "mixer.dt_proj.bias"] = {{6}};
    tensors[l + "mixer.A_log"] = {{6, 2}};
    tensors[l + "mixer.D"] = {{6}};
    tensors[l + "mixer.out_proj.weight"] = {{3, 6}};
    keys = {{"model_type", "\"mamba\""},    {"hidden_size", "3"},
            {"num_hidden_layers", "1"},     {"state_size", "2"},
            {"conv_kernel", "3"},           {"expand", "2"},
            {"time_step_rank", "\"auto\""}, {"vocab_size", "256"},
            {"use_cache", "true"}};
  }
  std::shared_ptr<const Model> load() {
    std::string json = "{";
    for (const auto& [key, value] : keys) {
      json += (json.size() > 1 ? ",\"" : "\"") + key + "\":" + value;
    }
    write_file(folder / "config.json", json + "}");
    TinyModel::write_tensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
    return Model::load(folder.path());
  }
  void expect_says(const std::string& part) {
    const std::string said = error_of([&] { load(); });
    EXPECT_NE(said.find(part), std::string::npos) << "said: " << said;
  }
  TempFolder folder;
  std::map<std::string, TinyModel::Tensor> tensors;
  std::map<std::string, std::string> keys;
};

TEST_F(Folder, Loads) {
  const auto m = load();
  EXPECT_EQ(m->network().layers[0].dt_rank(), 1);
  EXPECT_EQ(m->network().d_conv, 3);
  EXPECT_TRUE(m->network().layers[0].w.conv_bias);
}

TEST_F(Folder, HonoursEpsilonRateAndEncoding) {
  keys["layer_norm_epsilon"] = "1e-6";
  keys["sample_rate"] = "8000";
  keys["encoding"] = "\"linear8\"";
  const auto m = load();
  EXPECT_FLOAT_EQ(m->network().norm_eps, 1e-6F);
  EXPECT_EQ(m->config().sample_rate, 8000);
  EXPECT_EQ(m->config().encoding, Encoding::linear8);
}

TEST_F(Folder, BiasesFollowTheFlags) {
  keys["use_bias"] = "true";
  expect_says(
      "2 missing (backbone.layers.0.mixer.in_proj.bias, backbone.layers.0.mixer.out_proj.bias)");
  tensors["backbone.layers.0.mixer.in_proj.bias"] = {{12}};
  tensors["backbone.layers.0.mixer.out_proj.bias"] = {{3}};
  EXPECT_TRUE(load()->network().layers[0].w.in_proj_bias);
  keys["use_conv_bias"] = "false";
  expect_says("1 unexpected (backbone.layers.0.mixer.conv1d.bias)");
  tensors.erase("backbone.layers.0.mixer.conv1d.bias");
  EXPECT_FALSE(load()->network().layers[0].w.conv_bias);
}

TEST_F(Folder, UntiedHead) {
  keys["tie_word_embeddings"] = "false";
  expect_says("1 missing (lm_head.weight)");
  tensors["lm_head.weight"] = {{256, 3}};
  const auto m = load();
  EXPECT_NE(m->network().head.data, m->network().embed.data);
  keys["tie_word_embeddings"] = "true";  // stored twice, used once
  const auto tied = load();
  EXPECT_EQ(tied->network().head.data, tied->network().embed.data);
  EXPECT_EQ(m->stats().parameters, tied->stats().parameters + 256 * 3);
}

TEST_F(Folder, AnotherArchitecture) {
  keys["model_type"] = "\"llama\"";
  expect_says("config.json: model_type: expected mamba (MambaForCausalLM), found llama");
  keys.erase("model_type");
  expect_says("found none");
  // Reported even where the weights have another name as well.
  std::filesystem::remove(folder / "model.safetensors");
  EXPECT_NE(error_of([&] { Model::load(folder.path()); }).find("model_type"), std::string::npos);
}

TEST_F(Folder, WhatCannotBeRun) {
  keys["hidden_act"] = "\"gelu\"";
  expect_says("hidden_act: expected silu, found gelu");
  keys["hidden_act"] = "\"silu\"";
  keys["vocab_size"] = "50280";
  expect_says("vocab_size: expected 256 (8-bit audio codes), found 50280");
  keys["vocab_size"] = "256";
  keys["intermediate_size"] = "7";
  expect_says("intermediate_size: expected expand x hidden_size = 6, found 7");
  keys.erase("intermediate_size");
  keys["time_step_rank"] = "2";
  expect_says("x_proj.weight: expected 6 rows (time_step_rank + 2 x state_size), found 5");
  keys["time_step_rank"] = "\"most\"";
  expect_says("time_step_rank: expected an integer or auto, found \"most\"");
  keys["time_step_rank"] = "1";
  keys["hidden_size"] = "-3";
  expect_says("hidden_size: expected an integer from 1 to 16384, found -3");
}

TEST_F(Folder, FilesThatAreNotThere) {
  load();
  std::filesystem::remove(folder / "model.safetensors");
  const auto said = [&] { return error_of([&] { Model::load(folder.path()); }); };
  EXPECT_NE(said().find("found no model.safetensors"), std::string::npos);
  write_file(folder / "pytorch_model.bin", "x");
  EXPECT_NE(said().find("safe_serialization"), std::string::npos);
  write_file(folder / "model.safetensors.index.json", "{}");
  EXPECT_NE(said().find("split over several files"), std::string::npos);
  std::filesystem::remove(folder / "config.json");
  EXPECT_NE(said().find("found no config.json"), std::string::npos);
  write_file(folder / "config.json", "{");
  write_file(folder / "model.safetensors", "x");
  EXPECT_NE(said().find("config.json: expected JSON"), std::string::npos);
}

}  // namespace
}  // namespace mambo
