// What the program says when the machine or a model lets it down.
#include <gtest/gtest.h>

#include "support.h"
#include "tests/model/absurd_model.h"
#include "tests/realtime/sanitized.h"

namespace mambo {
namespace {

using testing::Folder;
using testing::mambo;
using testing::Outcome;

TEST(Ends, FewerThreadsThanWantedAreSaidAndDo) {
  if (testing::kSanitized) GTEST_SKIP() << "a sanitizer needs all the memory there is";
  const Folder folder;
  const Outcome o = mambo({"eval", "--backend", "cpu", "--model", testing::small_model(), "--audio",
                           testing::tone_clip(folder).string(), "--threads", "1024"},
                          "ulimit -v 1500000");
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find("the system lets this process have no 1024 threads"), std::string::npos)
      << o.err;
}

// 3e38 in one matrix, each in turn: none of it may be heard or kept.
TEST(Ends, AbsurdWeightsAreSaidByRenderAndPlay) {
  const Folder folder;
  const std::string model = (folder / "absurd.safetensors").string();
  for (const char* tensor : {"head.weight", "embed.weight", "down.0.0.out_proj.weight"}) {
    SCOPED_TRACE(tensor);
    testing::copy_with_weights(testing::small_model(), model, tensor, 3e38F);
    const Outcome o = mambo({"render", "--backend", "cpu", "--model", model, "--seed-clip",
                             testing::tone_clip(folder).string(), "--seconds", "1", "--count", "2",
                             "-q", "-o", (folder / "out").string()});
    EXPECT_EQ(o.code, 1) << o.err;
    testing::expect_one_line(o.err);
    EXPECT_NE(o.err.find("the model's outputs are "), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("nothing was drawn"), std::string::npos) << o.err;
    EXPECT_FALSE(testing::fs::exists(folder / "out" / "tone-continued-1.wav"));
  }
  const Outcome o = mambo({"play", "--backend", "cpu", "--model", model, "--from-silence",
                           "--seconds", "20", "--json"});
  EXPECT_EQ(o.code, 1) << o.err;
  // Without a device it may have come to say that first.
  testing::expect_one_line(o.err.substr(std::min(o.err.find("mambo: "), o.err.size())));
  EXPECT_NE(o.err.find("Stopped: the model's outputs are "), std::string::npos) << o.err;
}

}  // namespace
}  // namespace mambo
