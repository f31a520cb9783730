// Whole models: the shipped one and the oracles' load with the right shapes; damaged ones are
// refused with the reason.
#include "model/model.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/model/temp_folder.h"
#include "tests/model/tiny_model.h"

namespace mambo {
namespace {

using testing::error_of;
using testing::TempFolder;
using testing::TinyModel;

const std::string golden = MAMBO_TEST_DATA;
const std::string piano = std::string(MAMBO_ASSETS) + "/models/piano-lab.safetensors";

std::vector<std::string> names(const NetworkView& net) {
  std::vector<std::string> out;
  for (const LayerView& l : net.layers) out.push_back(l.name);
  return out;
}

TEST(Model, PianoLabHasItsShape) {
  const auto m = Model::load(piano);
  const NetworkView& net = m->network();
  EXPECT_EQ(m->config().name, "piano-lab");
  EXPECT_EQ(m->path(), piano);
  ASSERT_EQ(net.tiers.size(), 3U);
  EXPECT_EQ(net.tiers[1].width, 128);
  EXPECT_EQ(net.tiers[1].d_inner, 256);
  EXPECT_EQ(net.tiers[1].stride, 16);
  EXPECT_EQ(net.tiers[2].stride, 256);
  EXPECT_EQ(net.tiers[2].pool, 0);
  EXPECT_EQ(names(net),
            (std::vector<std::string>{"down.0.0", "down.0.1", "down.0.2", "down.1.0", "down.1.1",
                                      "down.1.2", "center.0", "center.1", "center.2", "up.1.0",
                                      "up.1.1", "up.1.2", "up.0.0", "up.0.1", "up.0.2"}));
  EXPECT_EQ(net.tiers[0].down_begin, 0);
  EXPECT_EQ(net.tiers[0].down_end, 3);
  EXPECT_EQ(net.tiers[2].down_begin, 6);
  EXPECT_EQ(net.tiers[2].down_end, 9);
  EXPECT_EQ(net.tiers[2].up_begin, net.tiers[2].up_end);
  EXPECT_EQ(net.tiers[1].up_begin, 9);
  EXPECT_EQ(net.tiers[0].up_begin, 12);
  EXPECT_EQ(net.tiers[0].up_end, 15);
  const LayerView& center = net.layers[6];
  EXPECT_EQ(center.side, Side::center);
  EXPECT_EQ(center.tier, 2);
  EXPECT_EQ(center.dt_rank(), 16);
  EXPECT_EQ(center.w.in_proj.dtype, DType::f16);
  EXPECT_EQ(center.w.in_proj.rows, 1024);
  EXPECT_EQ(center.w.conv.cols, 4);
  EXPECT_FALSE(center.w.in_proj_bias);
  EXPECT_EQ(net.layers[14].side, Side::up);
  EXPECT_EQ(net.tiers[0].down_pool.cols, 16 * 64);
  EXPECT_EQ(net.tiers[1].up_pool.rows, 16 * 128);
}

// By hand, from the shapes: widths 64/128/256, d_inner 128/256/512, R 4/8/16, N 16, K 4.
//   a block: in 2*di*d + conv 4*di + x (R+32)*di + dt di*R + out d*di + SSM (2*16 + 1)*di
//   tier 0:  16384 + 512 + 4608 + 512 + 8192 + 4224 = 34432, six of them
//   tier 1:  65536 + 1024 + 10240 + 2048 + 32768 + 8448 = 120064, six, every 16 samples
//   tier 2:  262144 + 2048 + 24576 + 8192 + 131072 + 16896 = 444928, three, every 256
//   pooling: 2 * 128*1024 every 16, 2 * 256*2048 every 256; head 256*64
// State: 19 floats per channel of 3840 (3 of the convolution, 16 of h), 2*16*(64 + 128), 256
// logits.
TEST(Model, StatsOfPianoLab) {
  const ModelStats s = Model::load(piano)->stats();
  EXPECT_EQ(s.macs_per_sample_worst,
            6U * 34432 + 6U * 120064 + 3U * 444928 + 2U * 131072 + 2U * 524288 + 16384);
  EXPECT_DOUBLE_EQ(s.macs_per_sample_mean, 293694);
  EXPECT_EQ(s.stride, 256);
  EXPECT_EQ(s.state_bytes, 4U * (19 * 3840 + 2 * 16 * (64 + 128) + 256));
  EXPECT_EQ(s.file_bytes, std::filesystem::file_size(piano));
  // F16 throughout and nothing else in the file: the header is the rest.
  EXPECT_EQ(s.parameters, 3557184U);
  EXPECT_EQ(s.file_bytes, 2 * s.parameters + 8 + 14296);
}

TEST(Model, OraclesLoad) {
  const auto unet = Model::load(golden + "/rand-unet-p4.safetensors");
  EXPECT_EQ(unet->stats().stride, 16);
  EXPECT_EQ(unet->network().layers.size(), 10U);
  EXPECT_TRUE(unet->network().head_bias);
  const auto flat = Model::load(golden + "/rand-flat.safetensors");
  EXPECT_EQ(names(flat->network()), (std::vector<std::string>{"center.0", "center.1", "center.2"}));
  EXPECT_EQ(flat->network().tiers[0].stride, 1);
  EXPECT_EQ(flat->network().layers[0].dt_rank(), 3);
  EXPECT_DOUBLE_EQ(flat->stats().macs_per_sample_mean,
                   static_cast<double>(flat->stats().macs_per_sample_worst));
}

TEST(Model, HashIsThatOfTheFileFromAnyThread) {
  const auto m = Model::load(piano);
  std::string other;
  std::thread t([&] { other = m->hash(); });
  const std::string mine = m->hash();
  t.join();
  EXPECT_EQ(mine, "7bc747f4248ee32dc4bdfe438d58b5f274936a9972b60be4116cbab5835b78f1");
  EXPECT_EQ(other, mine);
}

TEST(Model, OptionsOverrideWhatTheFileSays) {
  LoadOptions options;
  options.sample_rate = 22050;
  options.encoding = Encoding::linear8;
  const auto m = Model::load(golden + "/rand-flat.safetensors", options);
  EXPECT_EQ(m->config().sample_rate, 22050);
  EXPECT_EQ(m->config().encoding, Encoding::linear8);
  options.sample_rate = -1;
  EXPECT_NE(error_of([&] { Model::load(piano, options); }).find("sample_rate"), std::string::npos);
}

// One defect at a time.
class SpoiledModel : public ::testing::Test {
 protected:
  std::string refusal() {
    tiny.write(path);
    return error_of([&] { Model::load(path); });
  }
  void expect_says(const std::string& part) {
    const std::string said = refusal();
    EXPECT_NE(said.find(part), std::string::npos) << "said: " << said;
    EXPECT_TRUE(said.starts_with(path.string())) << said;
  }
  TempFolder folder;
  std::filesystem::path path = folder / "tiny.safetensors";
  TinyModel tiny;
};

TEST_F(SpoiledModel, WholeItLoads) {
  tiny.write(path);
  const auto m = Model::load(path);
  EXPECT_EQ(names(m->network()), (std::vector<std::string>{"down.0.0", "center.0", "up.0.0"}));
  EXPECT_FALSE(m->network().head_bias);
}

TEST_F(SpoiledModel, OptionalBiasesAreTaken) {
  tiny.tensors["head.bias"] = {{256}};
  tiny.tensors["center.0.in_proj.bias"] = {{24}};
  tiny.tensors["center.0.out_proj.bias"] = {{6}};
  tiny.write(path);
  const auto m = Model::load(path);
  EXPECT_TRUE(m->network().head_bias);
  EXPECT_TRUE(m->network().layers[1].w.in_proj_bias);
  EXPECT_TRUE(m->network().layers[1].w.out_proj_bias);
}

TEST_F(SpoiledModel, NoConfiguration) {
  tiny.config.clear();
  expect_says("expected a model with the metadata key mambo.config");
}

TEST_F(SpoiledModel, ConfigurationErrorsNameFileAndKey) {
  tiny.config.replace(tiny.config.find("\"d_state\":2"), 11, "\"d_state\":0");
  expect_says(
      "tiny.safetensors: mambo.config: d_state: expected an integer from 1 to 256, found 0");
}

TEST_F(SpoiledModel, OneTensorMissing) {
  tiny.tensors.erase("center.0.D");
  expect_says("1 missing (center.0.D)");
}

TEST_F(SpoiledModel, MissingXProjDoesNotBlameDtProj) {
  tiny.tensors.erase("up.0.0.x_proj.weight");
  expect_says("1 missing (up.0.0.x_proj.weight)");
}

TEST_F(SpoiledModel, MissingAndUnexpectedAreNamedTogether) {
  tiny.tensors.erase("embed.weight");
  tiny.tensors["embedding.weight"] = {{256, 3}};
  expect_says("1 missing (embed.weight) and 1 unexpected (embedding.weight)");
}

TEST_F(SpoiledModel, ManyMissingAreCounted) {
  for (const char* t :
       {"A_log", "D", "conv1d.bias", "conv1d.weight", "dt_proj.bias", "norm.weight"}) {
    tiny.tensors.erase(std::string("down.0.0.") + t);
  }
  expect_says("6 missing (");
  expect_says(" and 1 more)");
}

TEST_F(SpoiledModel, WrongShape) {
  tiny.tensors["up_pool.0.weight"] = {{6, 12}};
  expect_says("tensor up_pool.0.weight: expected shape [12, 6], found [6, 12]");
}

TEST_F(SpoiledModel, WeightsThatAreNoNumbers) {
  tiny.tensors["head.weight"] = {{256, 3}, DType::f32, 767};
  expect_says(
      "tensor head.weight: expected finite numbers, found NaN or an infinity at element 767");
  tiny.tensors["head.weight"] = {{256, 3}, DType::f32};
  for (const DType type : {DType::f16, DType::bf16}) {
    tiny.tensors["center.0.x_proj.weight"] = {{5, 12}, type, 7};
    expect_says(
        "tensor center.0.x_proj.weight: expected finite numbers, found NaN or an infinity at "
        "element 7");
  }
}

TEST_F(SpoiledModel, ConvolutionOfAnotherLength) {
  tiny.tensors["center.0.conv1d.weight"] = {{12, 1, 4}};
  expect_says("tensor center.0.conv1d.weight: expected shape [12, 1, 3], found [12, 1, 4]");
}

TEST_F(SpoiledModel, NoRoomForDeltaInXProj) {
  tiny.tensors["center.0.x_proj.weight"] = {{4, 12}};
  expect_says(
      "center.0.x_proj.weight: expected from 5 to 16 rows (dt_rank + 2 x d_state), found 4");
}

TEST_F(SpoiledModel, WeightsInBytes) {
  tiny.tensors["head.weight"] = {{256, 3}, DType::u8};
  expect_says("tensor head.weight: expected F32, F16 or BF16, found U8");
}

class SpoiledS4dModel : public SpoiledModel {
 protected:
  SpoiledS4dModel() { tiny.use_s4d(); }
};

TEST_F(SpoiledS4dModel, WholeItLoads) {
  tiny.tensors["up.0.0.A_log"] = {{6, 64}};  // the other block has 3: each has its own
  tiny.tensors["up.0.0.A_im"] = {{6, 64}};
  tiny.tensors["up.0.0.C"] = {{6, 64, 2}};
  tiny.write(path);
  const auto m = Model::load(path);
  const NetworkView& net = m->network();
  EXPECT_EQ(net.layers[0].mixer(), Mixer::s4d);
  EXPECT_EQ(net.layers[0].states(), 3);
  EXPECT_EQ(std::get<S4dView>(net.layers[0].params).C.cols, 6);
  EXPECT_EQ(net.layers[1].mixer(), Mixer::s6);
  EXPECT_EQ(net.layers[1].states(), 2);
  EXPECT_EQ(net.layers[2].states(), 64);
  // Convolutions of 2, states of 2*3, 2 and 2*64; 4 outputs of the pool twice; logits.
  EXPECT_EQ(m->stats().state_bytes,
            4U * (6 * (2 + 6) + 12 * (2 + 2) + 6 * (2 + 128) + 2 * 4 * 3 + 256));
}

// By hand: a block of width 3 and d_inner 6 has norm 3, in_proj 12*3, conv 6*3 + 6, log_dt 6, A_log
// and A_im 18 each, C 36, D 6, out_proj 18; multiply-adds in_proj 36, conv 18, out_proj 18, the SSM
// 6*18 + 6.
TEST_F(SpoiledS4dModel, IsCounted) {
  const auto stats = [this] {
    tiny.write(path);
    return Model::load(path)->stats();
  };
  const ModelStats all = stats();
  tiny.config.replace(tiny.config.find("\"layers\":[1,1]"), 14, "\"layers\":[0,1]");
  std::erase_if(tiny.tensors, [](const auto& t) {
    return t.first.starts_with("down.0.0.") || t.first.starts_with("up.0.0.");
  });
  const ModelStats without = stats();
  EXPECT_EQ(all.parameters - without.parameters, 2U * (3 + 36 + 24 + 6 + 18 + 18 + 36 + 6 + 18));
  EXPECT_EQ(all.macs_per_sample_worst - without.macs_per_sample_worst,
            2U * (36 + 18 + 18 + 6 * 18 + 6));
}

TEST_F(SpoiledS4dModel, MissingALogBlamesNoOther) {
  tiny.tensors.erase("up.0.0.A_log");
  expect_says("1 missing (up.0.0.A_log)");
}

TEST_F(SpoiledS4dModel, MissingTensorsAreNamed) {
  tiny.tensors.erase("up.0.0.log_dt");
  tiny.tensors.erase("down.0.0.C");
  expect_says("2 missing (down.0.0.C, up.0.0.log_dt)");
}

TEST_F(SpoiledS4dModel, TensorsOfTheOtherMixerAreUnexpected) {
  tiny.tensors["down.0.0.dt_proj.bias"] = {{6}};
  expect_says("1 unexpected (down.0.0.dt_proj.bias)");
}

TEST_F(SpoiledS4dModel, TooManyStates) {
  tiny.tensors["down.0.0.A_log"] = {{6, 65}};
  expect_says("tensor down.0.0.A_log: expected shape [6, M] with M from 1 to 64, found [6, 65]");
}

TEST_F(SpoiledS4dModel, NoStates) {
  tiny.tensors["down.0.0.A_log"] = {{6, 0}};
  expect_says("tensor down.0.0.A_log: expected shape [6, M] with M from 1 to 64, found [6, 0]");
}

TEST_F(SpoiledS4dModel, StatesOfAnotherWidth) {
  tiny.tensors["down.0.0.A_log"] = {{3, 6}};
  expect_says("tensor down.0.0.A_log: expected shape [6, M] with M from 1 to 64, found [3, 6]");
}

TEST_F(SpoiledS4dModel, ALogOfOneDimension) {
  tiny.tensors["down.0.0.A_log"] = {{18}};
  expect_says("tensor down.0.0.A_log: expected shape [6, M] with M from 1 to 64, found [18]");
}

TEST_F(SpoiledS4dModel, PartsDisagreeAboutTheStates) {
  tiny.tensors["down.0.0.A_im"] = {{6, 2}};
  expect_says("tensor down.0.0.A_im: expected shape [6, 3], found [6, 2]");
}

TEST_F(SpoiledS4dModel, CIsNotComplex) {
  tiny.tensors["up.0.0.C"] = {{6, 3}};
  expect_says("tensor up.0.0.C: expected shape [6, 3, 2], found [6, 3]");
}

TEST(ModelFiles, MissingEmptyAndTruncated) {
  const TempFolder folder;
  EXPECT_NE(error_of([&] { Model::load(folder / "none"); }).find("no such file or folder"),
            std::string::npos);
  testing::write_file(folder / "empty.safetensors", "");
  EXPECT_NE(error_of([&] { Model::load(folder / "empty.safetensors"); }).find("an empty file"),
            std::string::npos);
  std::string bytes = testing::read_file(golden + "/rand-flat.safetensors");
  testing::write_file(folder / "cut.safetensors", bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(error_of([&] { Model::load(folder / "cut.safetensors"); }).find("data_offsets: end"),
            std::string::npos);
}

}  // namespace
}  // namespace mambo
