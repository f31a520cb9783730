// What of a probe's rows is written: decimated, rounded to 16 bits, and the norms of states.
#include "app/cli/probe_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "support.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::mambo;
using testing::small_model;

float from_half(std::uint16_t h) {
  float x = 0;
  to_float({reinterpret_cast<const std::byte*>(&h), DType::f16, 1, 1}, &x);
  return x;
}

TEST(Half, RoundsToTheNearest) {
  for (std::uint32_t h = 0; h < 0x7C00U; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float x = from_half(half);
    ASSERT_EQ(float_to_half(x), half);
    ASSERT_EQ(float_to_half(-x), half | 0x8000U);
    if (h + 1 == 0x7C00U) break;
    const float next = from_half(static_cast<std::uint16_t>(h + 1));
    const float middle = (x + next) / 2;  // exact; a tie goes to the even one
    ASSERT_EQ(float_to_half(middle), h % 2 == 0 ? h : h + 1) << x;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0F)), h) << x;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9F)), h + 1) << x;
  }
  EXPECT_EQ(from_half(float_to_half(1e9F)), 65504);
  EXPECT_EQ(from_half(float_to_half(-std::numeric_limits<float>::infinity())), -65504);
  EXPECT_TRUE(std::isnan(from_half(float_to_half(std::nanf("")))));
  EXPECT_EQ(float_to_half(1e-20F), 0);
}

std::vector<float> values(const TensorFile& file, const std::string& name) {
  const TensorEntry& e = file.tensors().at(name);
  const std::int64_t n = e.shape.at(0) * e.shape.at(1);
  return to_float({e.bytes.data(), e.dtype_name == "F16" ? DType::f16 : DType::f32, 1, n});
}

TEST(Probe, LeavesOutRowsAndRounds) {
  const Folder folder;
  const std::string clip = testing::tone_clip(folder, 0.1).string();
  const auto probe = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"probe", "-m", small_model(), "-a", clip, "-q", "-o",
                               (folder / name).string(), "--layers", "down.0.0,center.0"});
    const auto o = mambo(more);
    EXPECT_EQ(o.code, 0) << o.err;
    return TensorFile::open(folder / name);
  };
  const TensorFile all = probe("all", {});
  const TensorFile some = probe("some", {"--every", "24", "--float16", "--tensors", "delta,C,h"});
  EXPECT_FALSE(some.has("center.0.B"));
  EXPECT_FALSE(some.has("center.0.horizon"));
  EXPECT_FALSE(all.has("center.0.h"));
  EXPECT_LT(some.file_bytes(), all.file_bytes() / 15);
  const auto about = nlohmann::json::parse(some.metadata().at("mambo.probe"));
  EXPECT_EQ(about.at("samples_per_logits_row"), 24);
  const auto model = Model::load(small_model());
  const NetworkView& net = model->network();
  const auto engine = make_engine(net, "cpu");
  const auto codes = encode(load_clip(clip, 16000).samples, Encoding::mulaw8);
  std::vector<float> state(engine->layout().size);
  for (const std::string layer : {"down.0.0", "center.0"}) {
    const auto index =
        static_cast<std::size_t>(std::find_if(net.layers.begin(), net.layers.end(),
                                              [&](const LayerView& l) { return l.name == layer; }) -
                                 net.layers.begin());
    const StateLayout::Layer& place = engine->layout().layers[index];
    const auto channels = static_cast<std::size_t>(place.d_inner);
    const auto& of = about.at("layers").at(layer);
    const auto every = of.at("steps_per_row").get<std::size_t>();
    const auto stride = of.at("samples_per_step").get<std::size_t>();
    EXPECT_EQ(every, 24 / stride);
    const auto full = values(all, layer + ".delta");
    const auto few = values(some, layer + ".delta");
    const auto h = values(some, layer + ".h");
    const std::size_t steps = codes.size() / stride;
    ASSERT_EQ(few.size(), (steps + every - 1) / every * channels);
    ASSERT_EQ(h.size(), few.size());
    for (std::size_t row = 0; row * channels < few.size(); ++row) {
      const auto voice = engine->make_state();
      if (row % 16 == 1) {
        engine->prefill(*voice, std::span(codes).first((row * every + 1) * stride));
        engine->read_state(*voice, state);
      }
      for (std::size_t c = 0; c < channels; ++c) {
        const float whole = full[row * every * channels + c];
        ASSERT_NEAR(few[row * channels + c], whole, std::abs(whole) * 1e-3 + 1e-6) << layer << row;
        if (row % 16 != 1) continue;
        double sum = 0;
        for (std::size_t n = 0; n < static_cast<std::size_t>(place.states); ++n) {
          sum += std::pow(state[place.h + c * static_cast<std::size_t>(place.states) + n], 2.0);
        }
        ASSERT_NEAR(h[row * channels + c], std::sqrt(sum), std::sqrt(sum) * 0.01 + 1e-3) << layer;
      }
    }
  }
  EXPECT_EQ(mambo({"probe", "-a", clip, "-o", (folder / "x").string(), "--tensors", "D"}).code, 2);
}

}  // namespace
}  // namespace mambo
