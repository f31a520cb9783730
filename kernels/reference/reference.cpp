#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

double silu(double x) { return x / (1.0 + std::exp(-x)); }

}  // namespace

namespace reference {

Matrix matrix(const TensorView& t) {
  return {static_cast<int>(t.rows), static_cast<int>(t.cols), vector(t)};
}

Vector vector(const TensorView& t) {
  const std::vector<float> f = to_float(t);
  return {f.begin(), f.end()};
}

Vector Matrix::operator*(const Vector& x) const {
  Vector y(static_cast<std::size_t>(rows), 0.0);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) y[r] += v[static_cast<std::size_t>(r) * cols + c] * x[c];
  }
  return y;
}

}  // namespace reference

using reference::matrix;
using reference::vector;

Reference::Reference(const NetworkView& net)
    : vocab_(net.vocab),
      K_(net.d_conv),
      eps_(net.norm_eps),
      embed_(matrix(net.embed)),
      head_(matrix(net.head)),
      norm_f_(vector(net.norm_f)),
      head_bias_(vector(net.head_bias)),
      layout_(net) {
  for (const LayerView& view : net.layers) {
    Layer l;
    l.d_inner = net.tiers[static_cast<std::size_t>(view.tier)].d_inner;
    l.norm = vector(view.w.norm);
    l.in_proj = matrix(view.w.in_proj);
    l.in_bias = vector(view.w.in_proj_bias);
    l.conv_w = vector(view.w.conv);
    l.conv_b = vector(view.w.conv_bias);
    l.mixer = std::visit([&](const auto& p) { return reference::make_mixer(p, vector(view.w.D)); },
                         view.params);
    l.out_proj = matrix(view.w.out_proj);
    l.out_bias = vector(view.w.out_proj_bias);
    layers_.push_back(std::move(l));
  }
  for (const TierView& view : net.tiers) {
    Tier t;
    static_cast<TierShape&>(t) = static_cast<const TierShape&>(view);
    t.down_pool = matrix(view.down_pool);
    t.down_bias = vector(view.down_pool_bias);
    t.up_pool = matrix(view.up_pool);
    t.up_bias = vector(view.up_pool_bias);
    tiers_.push_back(std::move(t));
  }
  reset();
}

void Reference::reset() {
  for (Layer& l : layers_) {
    l.window.assign(static_cast<std::size_t>(K_ - 1) * l.d_inner, 0.0);
    l.mixer->reset();
  }
  for (Tier& t : tiers_) {
    t.group.assign(static_cast<std::size_t>(t.pool) * t.width, 0.0);
    t.up.assign(static_cast<std::size_t>(t.pool) * t.width, 0.0);
    t.phase = 0;
  }
  logits_.assign(static_cast<std::size_t>(vocab_), 0.0);
  position_ = 0;
}

void Reference::play_by_hand(const Selectivity& by_hand) {
  const SelectionMeans& means = by_hand.means();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LayerSelectivity values = by_hand.of(static_cast<int>(i));
    if (means.empty()) values.hold_delta = values.hold_B = values.hold_C = 0;
    layers_[i].mixer->play_by_hand(values,
                                   means.empty() ? SelectionMeans::Layer{} : means.layers[i]);
  }
}

void Reference::forget(int layer, double factor) { layers_[layer].mixer->forget(factor); }

Reference::Vector Reference::rmsnorm(const Vector& x, const Vector& weight) const {
  double sum = 0;
  for (const double v : x) sum += v * v;
  const double scale = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + eps_);
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * weight[i];
  return y;
}

// One block, in place on the residual stream x [d].
void Reference::block(Layer& l, Vector& x) const {
  const int d = l.d_inner;
  Vector uz = l.in_proj * rmsnorm(x, l.norm);
  for (std::size_t i = 0; i < l.in_bias.size(); ++i) uz[i] += l.in_bias[i];

  Vector u(static_cast<std::size_t>(d));
  for (int c = 0; c < d; ++c) {
    double sum = l.conv_b.empty() ? 0.0 : l.conv_b[c];
    for (int k = 0; k < K_ - 1; ++k) {
      sum += l.conv_w[static_cast<std::size_t>(c) * K_ + k] *
             l.window[static_cast<std::size_t>(k) * d + c];
    }
    u[c] = silu(sum + l.conv_w[static_cast<std::size_t>(c) * K_ + K_ - 1] * uz[c]);
  }
  if (K_ > 1) {
    std::copy(l.window.begin() + d, l.window.end(), l.window.begin());
    std::copy(uz.begin(), uz.begin() + d, l.window.end() - d);
  }

  Vector y = l.mixer->step(u);
  for (int c = 0; c < d; ++c) y[c] *= silu(uz[static_cast<std::size_t>(d) + c]);
  const Vector out = l.out_proj * y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] += out[i] + (l.out_bias.empty() ? 0.0 : l.out_bias[i]);
  }
}

// One step of tier s, from its input to its output; steps the tiers inside it
// when a group is full.
Reference::Vector Reference::tier_step(std::size_t s, Vector x) {
  Tier& t = tiers_[s];
  for (int i = t.down_begin; i < t.down_end; ++i) block(layers_[i], x);
  if (t.pool == 0) return x;

  const Vector skip = x;
  const std::size_t row = static_cast<std::size_t>(t.phase) * t.width;
  for (int i = 0; i < t.width; ++i) x[i] = t.up[row + i] + skip[i];
  for (int i = t.up_begin; i < t.up_end; ++i) block(layers_[i], x);

  // The inner tier steps after the last step of the group; its result feeds the
  // next group.
  std::copy(skip.begin(), skip.end(), t.group.begin() + static_cast<std::ptrdiff_t>(row));
  if (++t.phase == t.pool) {
    t.phase = 0;
    Vector inner = t.down_pool * t.group;
    for (std::size_t i = 0; i < inner.size(); ++i) inner[i] += t.down_bias[i];
    inner = tier_step(s + 1, std::move(inner));
    t.up = t.up_pool * inner;
    for (std::size_t i = 0; i < t.up.size(); ++i) t.up[i] += t.up_bias[i];
    std::fill(t.group.begin(), t.group.end(), 0.0);
  }
  return x;
}

std::span<const double> Reference::step(std::uint8_t code) {
  const std::size_t d = static_cast<std::size_t>(tiers_[0].width);
  const auto row = embed_.v.begin() + static_cast<std::ptrdiff_t>(code * d);
  const Vector x = tier_step(0, Vector(row, row + static_cast<std::ptrdiff_t>(d)));
  logits_ = head_ * rmsnorm(x, norm_f_);
  for (std::size_t i = 0; i < head_bias_.size(); ++i) logits_[i] += head_bias_[i];
  ++position_;
  return logits_;
}

std::vector<float> Reference::read_state() const {
  std::vector<float> out(layout_.size);
  const auto put = [&out](std::size_t at, const Vector& v) {
    std::transform(v.begin(), v.end(), out.begin() + static_cast<std::ptrdiff_t>(at),
                   [](double x) { return static_cast<float>(x); });
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    put(layout_.layers[i].conv, layers_[i].window);
    put(layout_.layers[i].h, layers_[i].mixer->state());
  }
  for (std::size_t s = 0; s < layout_.pools.size(); ++s) {
    put(layout_.pools[s].group, tiers_[s].group);
    put(layout_.pools[s].up, tiers_[s].up);
  }
  put(layout_.logits, logits_);
  return out;
}

std::span<const double> Reference::delta(int layer) const { return layers_[layer].mixer->delta(); }

}  // namespace mambo
