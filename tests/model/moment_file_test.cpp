// Files of moments: what is written comes back, and what is broken or of another model is refused
// in one sentence.
#include "model/moment_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/state_layout.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace mambo {
namespace {

class MomentFile : public ::testing::Test {
 protected:
  MomentFile() {
    testing::TinyModel().write(folder / "tiny.safetensors");
    model = Model::load(folder / "tiny.safetensors");
    moment.state.resize(StateLayout(model->network()).size);
    for (std::size_t i = 0; i < moment.state.size(); ++i) {
      moment.state[i] = 0.001F * static_cast<float>(i);
    }
    moment.position = 400;
    moment.rng_seed = UINT64_MAX;
    moment.drawn = 77;
    moment.name = "calm \"bells\"";
    moment.picture.low[3] = -0.5F;
    moment.picture.high[3] = 0.25F;
  }
  void expect_refused(const std::string& part) {
    const std::string error = testing::error_of([&] { read_moment(file, *model, true); });
    EXPECT_EQ(error.rfind(file.string() + ": ", 0), 0U) << error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_LT(error.size(), 400U);
  }
  void write() {
    std::filesystem::remove(file);
    write_moment(file, moment, *model, "1.2.3");
  }

  testing::TempFolder folder;
  const std::filesystem::path file = folder / "a.moment";
  std::shared_ptr<const Model> model;
  Moment moment;
};

TEST_F(MomentFile, ComesBack) {
  write();
  EXPECT_TRUE(is_moment_file(file));
  EXPECT_FALSE(is_moment_file(folder / "tiny.safetensors"));
  EXPECT_FALSE(is_moment_file(folder / "none"));
  const Moment m = read_moment(file, *model, true);
  EXPECT_EQ(m.state, moment.state);
  EXPECT_EQ(m.position, 400U);
  EXPECT_EQ(m.rng_seed, UINT64_MAX);
  EXPECT_EQ(m.drawn, 77U);
  EXPECT_EQ(m.name, moment.name);
  EXPECT_EQ(m.picture, moment.picture);
  const MomentFacts facts = moment_facts(file);
  EXPECT_EQ(facts.model_name, "tiny");
  EXPECT_EQ(facts.model_sha256, model->hash());
  EXPECT_EQ(facts.version, "1.2.3");
  // Its own kind is replaced, nothing else.
  EXPECT_NO_THROW(write_moment(file, moment, *model, "1.2.3"));
  testing::write_file(folder / "mine", "mine");
  EXPECT_THROW(write_moment(folder / "mine", moment, *model, ""), Error);
}

TEST_F(MomentFile, OfAnotherModelOrPhaseIsRefused) {
  moment.position = 401;
  write();
  expect_refused("multiple of 4");
  EXPECT_NO_THROW(read_moment(file, *model));
  moment.position = 400;
  testing::TinyModel other;
  other.config.replace(other.config.find("tiny"), 4, "tony");
  other.write(folder / "tony.safetensors");
  const auto tony = Model::load(folder / "tony.safetensors");
  std::filesystem::remove(file);
  write_moment(file, moment, *tony, "");
  expect_refused("found one of tony");
}

TEST_F(MomentFile, NumbersBeyondSenseAreRefused) {
  const std::size_t logits = StateLayout(model->network()).logits;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), INFINITY}) {
    const Moment good = moment;
    moment.state[5] = bad;
    write();
    expect_refused("at 5");
    moment = good;
    moment.state[logits] = bad;
    write();
    expect_refused("outputs");
    moment = good;
    moment.picture.low[0] = bad;
    write();
    expect_refused("picture");
    moment = good;
  }
  moment.state[logits] = -INFINITY;  // a code that is never drawn
  write();
  EXPECT_NO_THROW(read_moment(file, *model, true));
  moment.state.push_back(0);
  write();
  expect_refused("shape");
}

TEST_F(MomentFile, DamagedFilesAreRefused) {
  write();
  const std::string whole = testing::read_file(file);
  for (const std::size_t size : {0U, 7U, 9U, 100U, 500U}) {
    testing::write_file(file, whole.substr(0, size));
    expect_refused("");
  }
  testing::write_file(file, whole.substr(0, whole.size() - 1));
  expect_refused("");
  testing::write_file(file, whole + std::string(1U << 21U, '\0'));
  expect_refused("bytes");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(from.size(), to.size());
    text.replace(at, from.size(), to);
    testing::write_file(file, text);
  };
  changed(R"(position\":400)", R"(position\":4e9)");
  expect_refused("position");
  changed(R"(\"drawn\":77)", R"(\"drown\":77)");
  expect_refused("");
  changed(R"(format\":1)", R"(format\":2)");
  expect_refused("format");
  changed(R"(hz\":16000)", R"(hz\":48000)");
  expect_refused("16000 Hz");
  changed("mambo.moment", "mambo.memory");
  expect_refused("moment");
  changed("\"state\"", "\"stair\"");
  expect_refused("");
  changed("F32", "I32");
  expect_refused("");
}

}  // namespace
}  // namespace mambo
