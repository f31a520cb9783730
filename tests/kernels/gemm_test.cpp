// Prefill's matrix products of any depth, on every instruction set that this machine has.
#include "kernels/cpu/gemm.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <random>
#include <vector>

namespace mambo::cpu {
namespace {

std::size_t at(int row, int columns, int column) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
         static_cast<std::size_t>(column);
}

class Gemm : public ::testing::Test {
 protected:
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_F(Gemm, IsTheSumOfProductsWhateverTheShape) {
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  for (const int depth : {16, 500, 512, 528, 1024, 1700}) {
    for (const int outputs : {16, 48, 80, 144}) {
      Linear w;
      std::vector<float> weights(static_cast<std::size_t>(depth * outputs));
      for (float& x : weights) x = normal(rng);
      w.panels = pack(outputs, depth, WeightStorage::f32,
                      [&](int r, int c) { return weights[at(r, depth, c)]; });
      w.bias = AlignedBuffer<float>(static_cast<std::size_t>(outputs));
      for (int i = 0; i < outputs; ++i) w.bias[static_cast<std::size_t>(i)] = normal(rng);
      constexpr int rows = 15;  // 6 + 6 + 2 + 1
      const int stride = depth + 3;
      std::vector<float> in(static_cast<std::size_t>(rows * stride));
      for (float& x : in) x = normal(rng);
      std::vector<float> start(static_cast<std::size_t>(rows * outputs));
      for (float& x : start) x = normal(rng);
      for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        for (const Init init : {Init::bias, Init::accumulate}) {
          std::vector<float> out = start;
          gemm(in.data(), static_cast<std::size_t>(stride), w, rows, out.data(),
               static_cast<std::size_t>(outputs), init);
          double worst = 0;
          for (int r = 0; r < rows; ++r) {
            for (int n = 0; n < outputs; ++n) {
              const std::size_t here = at(r, outputs, n);
              double want = init == Init::bias ? w.bias[static_cast<std::size_t>(n)] : start[here];
              for (int k = 0; k < depth; ++k) {
                want += static_cast<double>(in[at(r, stride, k)]) *
                        static_cast<double>(weights[at(n, depth, k)]);
              }
              worst = std::max(worst, std::fabs(want - static_cast<double>(out[here])));
            }
          }
          EXPECT_LT(worst, 1e-3) << depth << " x " << outputs;
        }
        hwy::SetSupportedTargetsForTest(0);
      }
    }
  }
}

}  // namespace
}  // namespace mambo::cpu
