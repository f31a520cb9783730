// The oracle: the network of docs/model.md written as plainly as it can be: scalar, double, one
// step after the other. Slow and readable, kept for ever; tests hold every backend against it.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/network.h"
#include "kernels/state_layout.h"

namespace mambo {

class Reference {
 public:
  explicit Reference(const NetworkView& net);

  // Absorbs one code; returns the logits [V] of the next. Any thread, one at a time.
  std::span<const double> step(std::uint8_t code);
  void reset();
  std::uint64_t position() const { return position_; }
  // The state in the layout of StateLayout, rounded to float32.
  std::vector<float> read_state() const;
  // Δ of the layer's last step, [d_inner]; constant in an s4d layer.
  std::span<const double> delta(int layer) const;

 private:
  using Vector = std::vector<double>;
  using Complex = std::complex<double>;
  struct Matrix {
    int rows = 0, cols = 0;
    Vector v;
    Vector operator*(const Vector& x) const;
  };
  struct Layer {
    Mixer mixer = Mixer::s6;
    int d_inner = 0, dt_rank = 0;
    int states = 0;  // a channel: N, or M complex ones
    Vector norm, in_bias, conv_w, conv_b, dt_bias, A, D, out_bias;
    Matrix in_proj, x_proj, dt_proj, out_proj;
    std::vector<Complex> A_complex, C_complex;  // s4d: [d_inner][M]
    Vector window;                              // [K-1][d_inner], oldest first
    Vector h;                                   // s6: [d_inner][N]
    std::vector<Complex> h_complex;             // s4d: [d_inner][M]
    Vector delta;                               // [d_inner]
  };
  struct Tier : TierShape {
    Matrix down_pool, up_pool;
    Vector down_bias, up_bias;
    Vector group;  // [pool][width]
    Vector up;     // [pool][width]
    int phase = 0;
  };
  static Matrix matrix(const TensorView& t);
  static Vector vector(const TensorView& t);
  Vector rmsnorm(const Vector& x, const Vector& weight) const;
  void block(Layer& layer, Vector& x) const;
  Vector s6(Layer& layer, const Vector& u) const;
  static Vector s4d(Layer& layer, const Vector& u);
  Vector tier_step(std::size_t s, Vector x);

  int vocab_, N_, K_;
  double eps_;
  Matrix embed_, head_;
  Vector norm_f_, head_bias_;
  std::vector<Layer> layers_;
  std::vector<Tier> tiers_;
  Vector logits_;
  std::uint64_t position_ = 0;
  StateLayout layout_;
};

}  // namespace mambo
