// The constants of the time-invariant mixer, and what float32 makes of a long memory.
#include <gtest/gtest.h>

#include <complex>
#include <deque>

#include "kernels/mixers/s4d.h"
#if MAMBO_HAS_CPU
#include "kernels/cpu/network.h"
#endif
#include "kernels/reference/reference.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

using Complex = std::complex<double>;

TEST(S4dModes, AreTheZeroOrderHold) {
  using Long = std::complex<long double>;
  for (const double dt : {1e-4, 1e-2, 0.5}) {
    for (const Complex A :
         {Complex(-0.5, 0), Complex(-0.5, 3.1), Complex(-1e-3, 900), Complex(-40, -7)}) {
      const Complex C(0.3, -1.2);
      const S4dMode mode = discretise(dt, A, C);
      const Long z = static_cast<Long>(A) * static_cast<long double>(dt);
      const Long decay = std::exp(z);
      const Long gain = 2.0L * static_cast<Long>(C) * (decay - 1.0L) / static_cast<Long>(A);
      EXPECT_LT(std::abs(static_cast<Long>(mode.decay) - decay), 1e-15L * std::abs(decay));
      EXPECT_LT(std::abs(static_cast<Long>(mode.gain) - gain), 1e-13L * std::abs(gain));
    }
  }
}

TEST(S4dModes, OfNothingIsTheLimit) {
  const S4dMode mode = discretise(0.25, 0.0, {1.0, 2.0});
  EXPECT_EQ(mode.decay, 1.0);
  EXPECT_EQ(mode.gain, Complex(0.5, 1.0));
}

// A network with the values of some of its tensors set.
class Slow {
 public:
  Slow(const Shape& shape, float log_dt, float A_log, float A_im)
      : network_(shape), net_(network_.view()) {
    for (LayerView& l : net_.layers) {
      auto& p = std::get<S4dView>(l.params);
      set(p.log_dt, log_dt, 0.0F);
      set(p.A_log, A_log, 0.1F);
      set(p.A_im, A_im, 1.7F);
    }
  }
  const NetworkView& view() const { return net_; }

 private:
  // Row r, column c: value + spread * (r + c / 10).
  void set(TensorView& t, float value, float spread) {
    std::vector<float>& v = store_.emplace_back(static_cast<std::size_t>(t.size()));
    for (std::size_t i = 0; i < v.size(); ++i) {
      const auto cols = static_cast<std::size_t>(t.cols);
      const std::size_t row = i / cols;
      v[i] = value + spread * (static_cast<float>(row) + static_cast<float>(i % cols) / 10);
    }
    t.data = reinterpret_cast<const std::byte*>(v.data());
  }
  RandomNetwork network_;
  std::deque<std::vector<float>> store_;
  NetworkView net_;
};

const Shape one_layer = {"one", {}, {1}, 4, 1, 2, 4, 4, 1, false, {Mixer::s4d}, {3}};

// A decay of a thousandth of a unit in the last place of float32 must not turn into growth.
TEST(S4dModes, NeverGrow) {
  for (const float A_log : {-60.0F, -30.0F, -18.0F, -14.0F, -9.0F, 0.0F}) {
    for (const float A_im : {0.0F, 1.0F, 31.4F, 977.0F}) {
      const Slow slow(one_layer, -4.0F, A_log, A_im);
      const LayerView& l = slow.view().layers[0];
      const S4dModes modes = s4d_modes(std::get<S4dView>(l.params));
      ASSERT_EQ(modes.decay.size(), 24U);
      for (int c = 0; c < 8; ++c) {
        for (int m = 0; m < 3; ++m) {
          const std::complex<float> decay =
              modes.decay.at(static_cast<std::size_t>(c) * 3 + static_cast<std::size_t>(m));
          const double re = decay.real();
          const double im = decay.imag();
          if (A_log < -35)  // no decay that double could tell from none
            ASSERT_LE(re * re + im * im, 1.0) << "A_im " << A_im;
          else
            ASSERT_LT(re * re + im * im, 1.0) << "A_log " << A_log << ", A_im " << A_im;
          ASSERT_NEAR(re * re + im * im,
                      std::exp(-2 * std::exp(-4.0) * std::exp(A_log + 0.1 * (c + m / 10.0))), 1e-6);
        }
      }
    }
  }
}

#if MAMBO_HAS_CPU
// Eight channels in the CPU's blocks of sixteen.
TEST(S4dModes, OfPaddingAreZeroOnTheCpu) {
  const RandomNetwork network(one_layer);
  const cpu::Network packed(network.view(), WeightStorage::f32);
  const auto& l = std::get<cpu::S4dWeights>(packed.layers.at(0).mixer);
  ASSERT_EQ(l.d_inner, 8);
  ASSERT_EQ(l.modes.size(), 3U * cpu::kModeRows * 16);
  for (std::size_t i = 0; i < l.modes.size(); ++i) {
    if (i % 16 < 8)
      EXPECT_NE(l.modes[i], 0.0F) << i;
    else
      EXPECT_EQ(l.modes[i], 0.0F) << i;
  }
}
#endif

// Memories of a second of sound (16,000 steps) that rotate by two radians per step, for six
// seconds: the state stays within float32's phase error of the double one, by steps and by prefill.
class S4dState : public ::testing::TestWithParam<std::string> {};

TEST_P(S4dState, OfLongMemoryStaysTrue) {
  const Slow slow(one_layer, -5.0F, std::log(1.0F / (16000 * std::exp(-5.0F))), 300.0F);
  const auto codes = random_codes(100'000);
  Reference reference(slow.view());
  for (const std::uint8_t c : codes) reference.step(c);
  const std::vector<float> want = reference.read_state();
  std::string why_not;
  const auto engine =
      engine_or_skip(slow.view(), GetParam(), {WeightStorage::f32, 2, {}}, &why_not);
  if (engine == nullptr) GTEST_SKIP() << why_not;
  const StateLayout::Layer& layer = engine->layout().layers[0];
  const auto stepped = engine->make_state();
  const auto filled = engine->make_state();
  engine->step(*stepped, codes);
  engine->prefill(*filled, codes);
  for (const State* state : {stepped.get(), filled.get()}) {
    const std::vector<float> got = state_of(*engine, *state);
    double norm = 0;
    double error = 0;
    for (std::size_t i = layer.h; i < layer.h + layer.h_size(); ++i) {
      norm = std::max<double>(norm, std::fabs(want[i]));
      error = std::max<double>(error, std::fabs(got[i] - want[i]));
    }
    std::printf("  largest state %.3g, error %.2g\n", norm, error);
    EXPECT_GT(norm, 10);  // it did gather
    EXPECT_LT(error, 1e-3 * norm);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, S4dState, ::testing::ValuesIn(backends_under_test()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace mambo::testing
