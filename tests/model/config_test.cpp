// The configuration: what is read, and for every kind of error a message that names the key, what
// was expected and what was found.
#include "model/config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::error_of;

const std::string good =
    R"({"format":"mambo-1","name":"piano","sample_rate":16000,"encoding":"mulaw8",)"
    R"("vocab_size":256,"d_model":64,"pool":[16,8],"layers":[3,2,1],"widen":2,"expand":3,)"
    R"("d_state":16,"d_conv":4,"norm_eps":1e-5})";

// The good configuration with one piece of its text replaced.
std::string with(const std::string& piece, const std::string& other) {
  std::string text = good;
  const std::size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), other);
}

TEST(Config, ReadsEveryField) {
  const Config c = parse_config(good, "file");
  EXPECT_EQ(c.name, "piano");
  EXPECT_EQ(c.sample_rate, 16000);
  EXPECT_EQ(c.encoding, Encoding::mulaw8);
  EXPECT_EQ(c.vocab_size, 256);
  EXPECT_EQ(c.pool, (std::vector<int>{16, 8}));
  EXPECT_EQ(c.layers, (std::vector<int>{3, 2, 1}));
  EXPECT_EQ(c.d_state, 16);
  EXPECT_EQ(c.d_conv, 4);
  EXPECT_DOUBLE_EQ(c.norm_eps, 1e-5);
  EXPECT_EQ(c.about, "");
}

TEST(Config, DerivesWidthsAndStridesOfTheTiers) {
  const Config c = parse_config(good, "file");
  ASSERT_EQ(c.tiers(), 3);
  EXPECT_EQ(c.width(0), 64);
  EXPECT_EQ(c.width(2), 256);
  EXPECT_EQ(c.d_inner(1), 384);
  EXPECT_EQ(c.stride(0), 1);
  EXPECT_EQ(c.stride(1), 16);
  EXPECT_EQ(c.stride(2), 128);
}

TEST(Config, FlatModelHasOneTier) {
  const Config c =
      parse_config(with(R"("pool":[16,8],"layers":[3,2,1])", R"("pool":[],"layers":[5])"), "file");
  EXPECT_EQ(c.tiers(), 1);
  EXPECT_EQ(c.stride(0), 1);
}

TEST(Config, KeepsProvenanceAsItsText) {
  const std::string about = R"({"steps":1200,"data":{"z":1,"a":[2,3]}})";
  const Config c =
      parse_config(with(R"("norm_eps":1e-5)", R"("norm_eps":1e-5,"about":)" + about), "file");
  EXPECT_EQ(c.about, about);
}

TEST(Config, TakesTheSamplingThatSoundsBest) {
  const auto about = [](const std::string& text) {
    return parse_config(with(R"("norm_eps":1e-5)", R"("norm_eps":1e-5,"about":)" + text), "file");
  };
  EXPECT_EQ(parse_config(good, "file").sampling, SamplingParams{});
  EXPECT_EQ(about(R"({"licence":"CC0"})").sampling, SamplingParams{});
  EXPECT_EQ(about(R"("a text")").sampling, SamplingParams{});
  EXPECT_EQ(
      about(R"({"defaults":{"temperature":0.9,"top_k":50,"top_p":0.95,"mood":"calm"}})").sampling,
      (SamplingParams{0.9F, 50, 0.95F}));
  EXPECT_EQ(about(R"({"defaults":{"top_p":0.5}})").sampling, (SamplingParams{1.0F, 0, 0.5F}));
  EXPECT_EQ(about(R"({"defaults":{"min_p":0.1,"floor":1e-5,"gate":3.5}})").sampling,
            (SamplingParams{1.0F, 0, 1.0F, 0.1F, 1e-5F, 3.5F}));
  for (const char* wrong : {R"({"defaults":[1]})", R"({"defaults":{"temperature":"hot"}})",
                            R"({"defaults":{"temperature":-1}})", R"({"defaults":{"top_k":2.5}})",
                            R"({"defaults":{"top_k":257}})", R"({"defaults":{"top_p":0}})",
                            R"({"defaults":{"min_p":1.5}})", R"({"defaults":{"floor":0}})",
                            R"({"defaults":{"gate":"3"}})", R"({"defaults":{"gate":9}})"}) {
    const std::string message = error_of([&] { about(wrong); });
    EXPECT_TRUE(message.starts_with("file: about.defaults")) << wrong << ": " << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
  }
}

TEST(Config, TakesTheRangeInWhichTemperatureIsUseful) {
  const auto about = [](const std::string& text) {
    return parse_config(with(R"("norm_eps":1e-5)", R"("norm_eps":1e-5,"about":)" + text), "file");
  };
  EXPECT_EQ(parse_config(good, "file").temperature_range, std::nullopt);
  EXPECT_EQ(about(R"({"ranges":{"mood":[1]}})").temperature_range, std::nullopt);
  EXPECT_EQ(about(R"({"ranges":{"temperature":[0.7,1.05]}})").temperature_range,
            (UsefulRange{0.7, 1.05}));
  EXPECT_EQ(about(R"({"ranges":{"temperature":[0,10]}})").temperature_range, (UsefulRange{0, 10}));
  for (const char* wrong :
       {R"({"ranges":[1,2]})", R"({"ranges":{"temperature":1}})",
        R"({"ranges":{"temperature":[1]}})", R"({"ranges":{"temperature":[0.7,0.8,0.9]}})",
        R"({"ranges":{"temperature":[1,0.7]}})", R"({"ranges":{"temperature":[1,1]}})",
        R"({"ranges":{"temperature":[-1,1]}})", R"({"ranges":{"temperature":[0.5,10.5]}})",
        R"({"ranges":{"temperature":["0.7",1]}})"}) {
    const std::string message = error_of([&] { about(wrong); });
    EXPECT_TRUE(message.starts_with("file: about.ranges")) << wrong << ": " << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
  }
}

TEST(Config, WritesWhatItReads) {
  const Config c = parse_config(
      with(R"("norm_eps":1e-5)", R"("norm_eps":3e-6,"about":{"licence":"CC0"})"), "file");
  const std::string once = config_json(c);
  EXPECT_EQ(config_json(parse_config(once, "again")), once);
  EXPECT_EQ(parse_config(once, "again").about, c.about);
  EXPECT_DOUBLE_EQ(parse_config(once, "again").norm_eps, 3e-6);
}

TEST(Config, ReadsTheMixerOfEachTier) {
  const Config c = parse_config(with("{", R"({"mixer":["s4d","s6","s4d"],)"), "file");
  EXPECT_EQ(c.mixer(0), Mixer::s4d);
  EXPECT_EQ(c.mixer(1), Mixer::s6);
  EXPECT_EQ(c.mixer(2), Mixer::s4d);
  EXPECT_EQ(parse_config(config_json(c), "again").mixers, c.mixers);
  EXPECT_EQ(parse_config(good, "file").mixer(2), Mixer::s6) << "unless said";
}

struct Wrong {
  const char* name;
  std::string piece, other;          // what is replaced, by what
  std::vector<const char*> message;  // all of these are in the message
};

class ConfigErrors : public ::testing::TestWithParam<Wrong> {};

TEST_P(ConfigErrors, NameKeyExpectedAndFound) {
  const Wrong& w = GetParam();
  const std::string message =
      error_of([&] { parse_config(with(w.piece, w.other), "x.safetensors: mambo.config"); });
  EXPECT_TRUE(message.starts_with("x.safetensors: mambo.config")) << message;
  for (const char* part : w.message) {
    EXPECT_NE(message.find(part), std::string::npos) << "missing: " << part << "\nin: " << message;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigErrors,
    ::testing::Values(
        Wrong{"NotJson", "{", "{,", {"expected JSON", "found none at column 2"}},
        Wrong{"Format", "mambo-1", "mambo-9", {"unknown format", "mambo-1", "mambo-9"}},
        Wrong{"FormatMissing", R"("format":"mambo-1",)", "", {"expected the key format"}},
        Wrong{"UnknownKey", "{", R"({"dropout":0.1,)", {"unknown key dropout"}},
        Wrong{"KeyTwice", "{", R"({"widen":2,)", {"each key once", "widen"}},
        Wrong{"Encoding", "mulaw8", "alaw8", {"unknown encoding", "mulaw8 or linear8", "alaw8"}},
        Wrong{"EncodingType", R"("mulaw8")", "8", {"encoding", "a string", "found 8"}},
        Wrong{"MixerUnknown",
              "{",
              R"({"mixer":["s6","h3","s6"],)",
              {"tier 1", "unknown mixer", "s6 or s4d", "h3"}},
        Wrong{"MixerCount", "{", R"({"mixer":["s6"],)", {"mixer", "3 names", R"(["s6"])"}},
        Wrong{"MixerType", "{", R"({"mixer":[6,6,6],)", {"mixer", "a string", "6"}},
        Wrong{"Vocabulary",
              R"("vocab_size":256)",
              R"("vocab_size":512)",
              {"vocab_size", "expected 256", "found 512"}},
        Wrong{"WidthZero",
              R"("d_model":64)",
              R"("d_model":0)",
              {"d_model", "from 1 to 16384", "found 0"}},
        Wrong{"WidthNegative", R"("d_model":64)", R"("d_model":-64)", {"d_model", "found -64"}},
        Wrong{"WidthFraction",
              R"("d_model":64)",
              R"("d_model":64.5)",
              {"d_model", "an integer", "64.5"}},
        Wrong{"WidthText", R"("d_model":64)", R"("d_model":"64")", {"d_model", R"("64")"}},
        Wrong{"WidthBeyond64Bits",
              R"("d_model":64)",
              R"("d_model":18446744073709551617)",
              {"d_model", "an integer"}},
        Wrong{"WidthUnsigned64",
              R"("d_model":64)",
              R"("d_model":18446744073709551615)",
              {"d_model", "18446744073709551615"}},
        Wrong{"PoolOne", "[16,8]", "[16,1]", {"pool[1]", "from 2 to 4096", "found 1"}},
        Wrong{"PoolNotArray", "[16,8]", "16", {"pool", "an array", "found 16"}},
        Wrong{"PoolTooDeep", "[16,8]", "[2,2,2,2,2,2,2,2]", {"pool", "at most 7"}},
        Wrong{"StrideGrows",
              R"("pool":[16,8],"layers":[3,2,1])",
              R"("pool":[4096,4096,2],"layers":[1,1,1,1])",
              {"tier 3", "stride", "16777216", "33554432"}},
        Wrong{"LayersCount", "[3,2,1]", "[3,2]", {"layers", "expected 3 entries", "found 2"}},
        Wrong{"LayersNegative", "[3,2,1]", "[3,-2,1]", {"layers[1]", "found -2"}},
        Wrong{"LayersAbsurd", "[3,2,1]", "[3,1000000000,1]", {"layers[1]", "1000000000"}},
        Wrong{"CentreEmpty", "[3,2,1]", "[3,2,0]", {"layers", "at least one block"}},
        Wrong{"Widen", R"("widen":2)", R"("widen":17)", {"widen", "from 1 to 16", "found 17"}},
        Wrong{"Expand", R"("expand":3)", R"("expand":0)", {"expand", "found 0"}},
        Wrong{"State", R"("d_state":16)", R"("d_state":257)", {"d_state", "256", "found 257"}},
        Wrong{"Conv", R"("d_conv":4)", R"("d_conv":65)", {"d_conv", "64", "found 65"}},
        Wrong{"Eps", "1e-5", "0", {"norm_eps", "found 0"}},
        Wrong{"EpsHuge", "1e-5", "1e400", {"expected JSON"}},
        Wrong{"EpsText", "1e-5", "null", {"norm_eps", "a number", "null"}},
        Wrong{"Rate", "16000", "0", {"sample_rate", "from 1000 to 384000", "found 0"}},
        Wrong{"NameLong",
              R"("piano")",
              '"' + std::string(300, 'x') + '"',
              {"name", "200 bytes", "300"}}),
    [](const auto& wrong) { return wrong.param.name; });

TEST(Config, WidthsThatGrowBeyondReasonAreRefused) {
  const std::string message = error_of([] {
    std::string text = with(R"("d_model":64)", R"("d_model":16384)");
    parse_config(text.replace(text.find(R"("widen":2)"), 9, R"("widen":9)"), "file");
  });
  EXPECT_NE(message.find("tier 1: expected a width"), std::string::npos) << message;
  EXPECT_NE(message.find("147456"), std::string::npos) << message;
}

TEST(Config, NotAnObject) {
  EXPECT_NE(error_of([] { parse_config("[1]", "file"); }).find("a JSON object"), std::string::npos);
}

TEST(Config, DepthIsBounded) {
  const std::string bomb(1'000'000, '[');
  const std::string message = error_of([&] { parse_config(bomb, "file"); });
  EXPECT_NE(message.find("nested at most 32 deep"), std::string::npos) << message;
}

TEST(Config, ForeignTextIsMadeSafeToShow) {
  const std::string message = error_of(
      [] { parse_config(with("mambo-1", "\\u001b[31m\\n" + std::string(500, 'x')), "file"); });
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_LT(message.size(), 250U);
}

}  // namespace
}  // namespace mambo
