// The oracle: the network of docs/model.md written as plainly as it can be:
// scalar, double, one step after the other. Slow and readable, kept for ever;
// tests hold every backend against it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/network.h"
#include "kernels/reference/mixer.h"
#include "kernels/state_layout.h"

namespace mambo {

class Reference {
 public:
  explicit Reference(const NetworkView& net);

  // Absorbs one code; returns the logits [V] of the next. Any thread, one at a
  // time.
  std::span<const double> step(std::uint8_t code);
  void reset();
  // Of all layers, from the next step on.
  void play_by_hand(const Selectivity& by_hand);
  void forget(int layer, double factor);  // h <- factor h
  std::uint64_t position() const { return position_; }
  // The state in the layout of StateLayout, rounded to float32.
  std::vector<float> read_state() const;
  // Δ of the layer's last step as played, [d_inner]; constant in a time-invariant layer.
  std::span<const double> delta(int layer) const;

 private:
  using Vector = reference::Vector;
  using Matrix = reference::Matrix;
  struct Layer {
    int d_inner = 0;
    Vector norm, in_bias, conv_w, conv_b, out_bias;
    Matrix in_proj, out_proj;
    std::unique_ptr<reference::StepMixer> mixer;
    Vector window;  // [K-1][d_inner], oldest first
  };
  struct Tier : TierShape {
    Matrix down_pool, up_pool;
    Vector down_bias, up_bias;
    Vector group;  // [pool][width]
    Vector up;     // [pool][width]
    int phase = 0;
  };
  Vector rmsnorm(const Vector& x, const Vector& weight) const;
  void block(Layer& layer, Vector& x) const;
  Vector tier_step(std::size_t s, Vector x);

  int vocab_, K_;
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
