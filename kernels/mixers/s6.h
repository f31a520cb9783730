// S6, the selective state space of Gu & Dao, arXiv 2312.00752: delta, B and C are functions of the
// input. Per channel, with N real states:
//   delta = softplus(dt_proj x_proj_delta(u) + dt_bias)
//   h = exp(delta A) h + delta B u,   y = C h + D u,   A = -exp(A_log)
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/mixers/mixer.h"

namespace mambo {

struct S6View {
  static constexpr Mixer id = Mixer::s6;
  TensorView x_proj;   // [R + 2N, d_inner]: delta, B, C
  TensorView dt_proj;  // [d_inner, R]
  TensorView dt_bias;  // [d_inner]
  TensorView A_log;    // [d_inner, N]
  int rank = 0;        // R

  int states() const { return static_cast<int>(A_log.cols); }  // N per channel
  // Multiply-adds of a step: projections, update and read-out of each state.
  std::uint64_t macs() const;
  // [d_inner]: delta at rest, where dt_proj's input is 0: softplus(dt_bias).
  std::vector<double> resting_delta() const;
  // The shapes follow from `rank`; 0: unknown, because x_proj is missing.
  std::vector<TensorRow> tensors(std::int64_t d_inner, std::int64_t states);
};

// [d_inner][N]: A log2(e), so that the step's exponential is exp2(delta A log2(e)). Computed in
// double.
std::vector<float> s6_decay_rates(const S6View& view);

}  // namespace mambo
