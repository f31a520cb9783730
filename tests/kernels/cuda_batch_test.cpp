// Many streams at once on a GPU: of every shape, copies beside it, what it takes.
#include <gtest/gtest.h>

#include "tests/kernels/support.h"

#if MAMBO_HAS_CUDA

#include <cuda_runtime.h>

#include "kernels/cuda/launch_length.h"
#include "kernels/cuda/runtime/architectures.h"
#include "kernels/cuda/runtime/check.h"

namespace mambo::testing {
namespace {

class CudaBatch : public ::testing::TestWithParam<Case> {
 protected:
  CudaBatch() : network_(GetParam().shape) {}
  void SetUp() override {
    std::string why_not;
    engine_ = engine_or_skip(network_.view(), GetParam().variant, &why_not);
    if (engine_ == nullptr) GTEST_SKIP() << why_not;
  }
  struct Streams {
    std::vector<std::unique_ptr<State>> states;
    std::vector<std::vector<std::uint8_t>> codes;
    std::vector<Stream> all;
  };
  // Every second one goes on from `warm`, the others begin from silence.
  Streams streams(std::size_t n, std::size_t length, const State& warm) const {
    Streams s;
    s.codes.assign(n, std::vector<std::uint8_t>(length));
    for (std::size_t i = 0; i < n; ++i) {
      s.states.push_back(engine_->make_state());
      if (i % 2 == 1) engine_->copy(warm, *s.states.back());
      GenerateRequest q;
      q.rng_seed = i;
      q.codes = s.codes[i];
      s.all.push_back({s.states.back().get(), q});
    }
    return s;
  }
  RandomNetwork network_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(CudaBatch, DrawsWhatEachStreamDrawsAlone) {
  constexpr std::size_t kLength = 150;  // twice over the innermost tier's stride
  const auto warm = engine_->make_state();
  engine_->step(*warm, random_codes(77));
  // The even streams and the odd ones are at two positions, and so two batches. Both: one per SM;
  // one and four; four and eight; more than run at the same time.
  const auto most = static_cast<std::size_t>(engine_->streams_at_once());
  for (const std::size_t n : {std::size_t{6}, most / 8 + 1, most / 2 + 1, most + 3}) {
    Streams s = streams(n, kLength, *warm);
    engine_->generate_many(s.all);
    for (std::size_t i = 0; i < n; ++i) {  // every place in the first CTA of either, and the ends
      if (i >= 16 && i != n / 2 && i + 3 < n) continue;
      const auto alone = engine_->make_state();
      if (i % 2 == 1) engine_->copy(*warm, *alone);
      std::vector<std::uint8_t> want(kLength);
      GenerateRequest q;
      q.rng_seed = i;
      q.codes = want;
      engine_->generate(*alone, q);
      EXPECT_EQ(s.codes[i], want) << "stream " << i << " of " << n;
      EXPECT_EQ(s.states[i]->position(), alone->position());
      EXPECT_EQ(state_of(*engine_, *s.states[i]), state_of(*engine_, *alone))
          << "stream " << i << " of " << n;
    }
  }
}

// Of every three streams one is played as the network says, the others by hand, each otherwise; in
// the second call they come in another order.
TEST_P(CudaBatch, EachStreamIsPlayedByItsOwnHand) {
  constexpr std::size_t kLength = 70;
  const SelectionMeans means = means_of(*engine_, network_.view(), random_codes(2000, 5));
  const auto warm = engine_->make_state();
  engine_->step(*warm, random_codes(77));
  std::vector<Selectivity> hands;
  for (int turn = 0; turn < 8; ++turn) hands.push_back(mixed(*engine_, means, turn));
  const auto hand_of = [&](std::size_t i) { return i % 3 == 0 ? nullptr : &hands[i % 8]; };
  const auto most = static_cast<std::size_t>(engine_->streams_at_once());
  for (const std::size_t n : {std::size_t{6}, most / 2 + 1}) {
    Streams s = streams(n, kLength, *warm);
    for (std::size_t i = 0; i < n; ++i) s.all[i].request.by_hand = hand_of(i);
    engine_->generate_many(s.all);
    const std::vector<std::vector<std::uint8_t>> first = s.codes;
    for (std::size_t i = 0; i < n; ++i) s.all[i].request.rng_index = kLength;
    std::reverse(s.all.begin(), s.all.end());
    engine_->generate_many(s.all);
    for (std::size_t i = 0; i < n; ++i) {
      if (i >= 16 && i != n / 2 && i + 3 < n) continue;
      const auto alone = engine_->make_state();
      if (i % 2 == 1) engine_->copy(*warm, *alone);
      std::vector<std::uint8_t> want(2 * kLength);
      GenerateRequest q;
      q.rng_seed = i;
      q.codes = want;
      q.by_hand = hand_of(i);
      engine_->generate(*alone, q);
      std::vector<std::uint8_t> got = first[i];
      got.insert(got.end(), s.codes[i].begin(), s.codes[i].end());
      EXPECT_EQ(got, want) << "stream " << i << " of " << n;
      EXPECT_EQ(state_of(*engine_, *s.states[i]), state_of(*engine_, *alone))
          << "stream " << i << " of " << n;
    }
  }
}

// Both ends of a copy are in use until it is done, whichever CUDA stream uses either next.
TEST_P(CudaBatch, ACopyIsDoneBeforeItsSourceGoesOnOrGoes) {
  const auto heard = random_codes(100);
  auto source = engine_->make_state();
  engine_->step(*source, heard);  // it has been played alone
  const auto want = state_of(*engine_, *source);
  for (int trial = 0; trial < 20; ++trial) {
    const auto target = engine_->make_state();
    const auto other = engine_->make_state();
    engine_->copy(*source, *target);
    engine_->copy(*source, *other);
    std::vector<std::uint8_t> codes[2] = {std::vector<std::uint8_t>(20),
                                          std::vector<std::uint8_t>(20)};
    std::vector<Stream> batch(2);
    batch[0].state = source.get();
    batch[1].state = other.get();
    for (int i = 0; i < 2; ++i) batch[i].request.codes = codes[i];
    engine_->generate_many(batch);  // on a stream of its own
    EXPECT_EQ(codes[0], codes[1]);
    EXPECT_EQ(state_of(*engine_, *target), want) << "trial " << trial;
    engine_->copy(*target, *source);
    engine_->prefill(*target, heard);
    EXPECT_EQ(state_of(*engine_, *source), want) << "trial " << trial;
    auto next = engine_->make_state();
    engine_->step(*next, heard);
    engine_->copy(*source, *next);
    source = std::move(next);  // the old one is destroyed while it is read
    EXPECT_EQ(state_of(*engine_, *source), want) << "trial " << trial;
  }
}

TEST_P(CudaBatch, FromSilenceItTakesNoPlayerAStream) {
  constexpr std::size_t kStreams = 300;
  const auto warm = engine_->make_state();
  engine_->step(*warm, random_codes(10));
  const auto free_bytes = [] {
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    return free;
  };
  const std::size_t before = free_bytes();
  Streams s = streams(kStreams, 20, *warm);
  engine_->generate_many(s.all);
  const std::size_t after = free_bytes();
  const std::size_t taken = before > after ? before - after : 0;
  EXPECT_LT(taken, kStreams * engine_->state_bytes() + (std::size_t{150} << 20U));
}

// Several streams per SM are played where K is 4 and there are up to 16 states; other shapes have
// an SM per stream. States are in shared memory as far as there is room: all of one_pool's, some of
// piano's, none of flat256's with eight streams per SM.
std::vector<Case> batch_cases() {
  std::vector<Case> all = {{{"cuda", WeightStorage::f32, ""}, piano_shape()},
                           {{"cuda", WeightStorage::half, ""}, piano_shape()}};
  std::vector<Shape> some = shapes();
  some.push_back({"many_states", {2}, {1, 1}, 64, 2, 2, 20, 4, 0});
  // 12 and 24 channel tiles, which sixteen does not divide; biases.
  some.push_back({"uneven", {2}, {1, 1}, 48, 2, 2, 7, 4, 5, true});
  // A single stream of it is played by flat models' own kernels, a batch is not.
  some.push_back({"flat256", {}, {2}, 256, 1, 2, 16, 4, 0});
  // S4D layers, whose states are in shared memory all, or some of them.
  some.insert(some.end(), s4d_shapes().begin(), s4d_shapes().end());
  some.push_back(
      {"s4d_uneven", {2}, {1, 1}, 48, 2, 2, 7, 4, 5, true, {Mixer::s4d, Mixer::s6}, {7}});
  some.push_back({"s4d_wide", {}, {2}, 256, 1, 2, 16, 4, 0, false, {Mixer::s4d}, {8}});
  for (const Shape& shape : some) all.push_back({{"cuda", WeightStorage::half, ""}, shape});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Shapes, CudaBatch, ::testing::ValuesIn(batch_cases()),
                         [](const auto& p) { return p.param.name(); });

// ---- What needs no device ----

TEST(Cuda, ALaunchIsAsLongAsADisplayCanWait_cuda) {
  using cuda::LaunchLength;
  EXPECT_EQ(LaunchLength(10, 512).steps(10000), 512U);
  EXPECT_EQ(LaunchLength(100, 512).steps(10000), 200U);
  EXPECT_EQ(LaunchLength(100, 512).steps(10000, 4), 50U);
  EXPECT_EQ(LaunchLength(1e6, 512).steps(10000), 16U);
  EXPECT_EQ(LaunchLength(1e6, 512).steps(3), 3U);
  LaunchLength length(10, 512);
  length.took(100, LaunchLength::Clock::now() - std::chrono::milliseconds(400),
              2);  // 2 ms per step and wave
  EXPECT_EQ(length.steps(10000, 1), 16U);
  length.took(100, LaunchLength::Clock::now() - std::chrono::milliseconds(10), 1);
  EXPECT_NEAR(static_cast<double>(length.steps(10000, 1)), 200, 20);
  length.took(1, LaunchLength::Clock::now() - std::chrono::seconds(1));
  EXPECT_GT(length.steps(10000, 1), 100U) << "one step tells nothing";
}

TEST(Cuda, TheArchitecturesThatAreBuiltSayWhichDevicesHaveCode_cuda) {
  using cuda::has_code;
  EXPECT_TRUE(has_code("90a-real", 9, 0));
  EXPECT_FALSE(has_code("90a-real", 8, 6));
  EXPECT_FALSE(has_code("90a-real", 10, 0));
  EXPECT_TRUE(has_code("80-real", 8, 6));
  EXPECT_FALSE(has_code("86-real", 8, 0));
  EXPECT_FALSE(has_code("80-real", 9, 0));
  EXPECT_TRUE(has_code("80-real,90a-real,90-virtual", 12, 0));
  EXPECT_FALSE(has_code("80-real,90a-real,90-virtual", 7, 5));
  EXPECT_FALSE(has_code("90-virtual", 8, 0));  // MAMBO_CUDA_PROOF
  EXPECT_TRUE(has_code("90-virtual", 9, 0));
  EXPECT_TRUE(has_code("80", 12, 1));
  EXPECT_TRUE(has_code("120-real", 12, 1));
  EXPECT_FALSE(has_code("90a", 10, 0)) << "not even its PTX";
  EXPECT_TRUE(has_code("100f-real", 10, 3));
  EXPECT_FALSE(has_code("100f-real", 12, 0));
  EXPECT_TRUE(has_code("native", 9, 0));
  EXPECT_TRUE(has_code("", 9, 0));
}

// Every call gives the error of a lost device again, so every destructor would have its line.
TEST(Cuda, ALostDeviceIsSaidOnce_cuda) {
  // A reported error is not reported again in this process: hence codes that no call returns, and
  // different ones at each repetition.
  static int repetition = 0;
  const auto number = [first = 950 + 3 * (repetition++ % 16)](int i) {
    return static_cast<cudaError_t>(first + i);
  };
  const cudaError_t lost = number(0);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) cuda::log_failure(lost, "cudaFree");
  cuda::log_failure(number(1), "cudaFree");
  cuda::log_failure(lost, "cudaEventDestroy");
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  // Nor a thrown error: its catcher reports it.
  EXPECT_THROW(cuda::check(number(2), "a launch", "file", 1), DeviceError);
  ::testing::internal::CaptureStderr();
  cuda::log_failure(number(2), "cudaFree");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mambo::testing

#endif  // MAMBO_HAS_CUDA
