// A layer's past: what prefill would have shown of it, read aside.
#include "app/live/layer_past.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/live/session.h"
#include "model/voice.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;

class LayerPastTest : public ::testing::Test {
 protected:
  // All rows of a reading, in one; its first_step is the first row's.
  PastRows read(const PastSound& sound) {
    PastRows all;
    std::atomic<bool> done{false};
    std::thread worker([&] {
      read_past(*engine_, sound, queue_, [](float) { return true; });
      done = true;
    });
    PastRows rows;
    while (!rows.last) {
      if (!queue_.fetch(rows)) {
        std::this_thread::sleep_for(1ms);
        continue;
      }
      if (all.delta.empty())
        all = rows;
      else
        all.delta.insert(all.delta.end(), rows.delta.begin(), rows.delta.end());
      all.last = rows.last;
    }
    worker.join();
    EXPECT_TRUE(done);
    return all;
  }
  PastSound sound(int layer, std::uint64_t first) {
    PastSound s;
    s.model = model_;
    s.layer = layer;
    s.first = first;
    s.codes.assign(codes_.begin() + static_cast<std::ptrdiff_t>(first), codes_.end());
    s.number = queue_.begin();
    return s;
  }
  int stride(int layer) const {
    const NetworkView& net = model_->network();
    const int tier = net.layers[static_cast<std::size_t>(layer)].tier;
    return net.tiers[static_cast<std::size_t>(tier)].stride;
  }

  std::shared_ptr<const Model> model_ = Model::load(MAMBO_ASSETS "/models/piano-lab.safetensors");
  std::unique_ptr<Engine> engine_ = make_engine(model_->network(), "cpu");
  PastQueue queue_;
  std::vector<std::uint8_t> codes_ = [this] {
    Clip clip = load_clip(MAMBO_ASSETS "/seeds/satie-gymnopedie.wav", 16000);
    clip.samples.resize(24000);
    return encode(clip.samples, model_->config().encoding);
  }();
};

TEST_F(LayerPastTest, IsWhatTheModelDidWhenAllIsKnownAndComesNearItElse) {
  const int inner = static_cast<int>(model_->network().layers.size()) / 2;
  for (const int layer : {0, inner}) {
    const PastRows whole = read(sound(layer, 0));
    EXPECT_EQ(whole.first_step, 0U);
    const auto channels = static_cast<std::size_t>(whole.channels);
    ASSERT_EQ(whole.delta.size() / channels,
              codes_.size() / static_cast<std::size_t>(stride(layer)));

    PastSound later = sound(layer, 5001);  // in the middle of a step of every tier but the first
    later.shown_from = 15000;
    const PastRows part = read(later);
    EXPECT_EQ(part.first_step, 15000U / static_cast<std::uint64_t>(stride(layer)));
    ASSERT_EQ(part.first_step + part.delta.size() / channels, whole.delta.size() / channels)
        << "its steps are not those of the tier";
    double difference = 0;
    const float* same = whole.delta.data() + part.first_step * channels;
    for (std::size_t i = 0; i < part.delta.size(); ++i) {
      difference += std::fabs(std::log2(part.delta[i] / same[i]));
    }
    EXPECT_LT(difference / static_cast<double>(part.delta.size()), 0.1) << "octaves";
  }
}

TEST_F(LayerPastTest, IsCancelledAndReplacedWithoutATrace) {
  const PastSound first = sound(0, 0);
  EXPECT_THROW(read_past(*engine_, first, queue_, [](float done) { return done < 0.1F; }),
               Cancelled);
  const PastSound second = sound(0, 20000);  // forgets what the first left
  read_past(*engine_, second, queue_, [](float) { return true; });
  PastRows rows;
  ASSERT_TRUE(queue_.fetch(rows));
  EXPECT_EQ(rows.reading, second.number);
  PastRows stale;
  stale.reading = first.number;
  stale.delta.resize(10);
  while (queue_.fetch(rows)) EXPECT_EQ(rows.reading, second.number);
  EXPECT_TRUE(rows.last);
  EXPECT_TRUE(queue_.offer(stale));
  EXPECT_FALSE(queue_.fetch(rows)) << "rows of a reading that was replaced";
}

// While it plays, by the session's worker; another layer and another clip end it.
TEST_F(LayerPastTest, IsReadWhileTheSessionPlays) {
  Session session{SessionOptions{}};
  const auto within = [](auto f) {
    for (int i = 0; i < 3000 && !f(); ++i) std::this_thread::sleep_for(5ms);
    return f();
  };
  session.open_model(model_->path());
  ASSERT_TRUE(within([&] { return session.status().activity == Activity::ready; }));
  session.play();
  session.look_back(0, 0, codes_, 0);
  session.look_back(1, 0, codes_, 0);
  PastRows rows;
  EXPECT_TRUE(within([&] {
    while (session.fetch_past(rows)) EXPECT_EQ(rows.layer, 1);
    return rows.last;
  }));
  EXPECT_NE(session.status().message, "Cancelled.");
  const std::uint64_t drawn = session.status().generated;
  EXPECT_TRUE(within([&] { return session.status().generated > drawn + 1000; }));
  std::vector<std::uint8_t> long_codes;
  for (int i = 0; i < 40; ++i) long_codes.insert(long_codes.end(), codes_.begin(), codes_.end());
  session.look_back(1, 0, long_codes, 0);
  ASSERT_TRUE(within([&] { return session.status().activity == Activity::looking_back; }));
  session.cancel();
  EXPECT_TRUE(within([&] { return session.status().message == "Cancelled."; }));
  EXPECT_TRUE(within([&] { return session.status().activity == Activity::ready; }));
}

}  // namespace
}  // namespace mambo
