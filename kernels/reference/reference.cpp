#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace mambo {
namespace {

double silu(double x) { return x / (1.0 + std::exp(-x)); }
double softplus(double x) { return x > 30.0 ? x : std::log1p(std::exp(x)); }

}  // namespace

Reference::Matrix Reference::matrix(const TensorView& t) {
  return {static_cast<int>(t.rows), static_cast<int>(t.cols), vector(t)};
}

Reference::Vector Reference::vector(const TensorView& t) {
  const std::vector<float> f = to_float(t);
  return {f.begin(), f.end()};
}

Reference::Vector Reference::Matrix::operator*(const Vector& x) const {
  Vector y(static_cast<std::size_t>(rows), 0.0);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) y[r] += v[static_cast<std::size_t>(r) * cols + c] * x[c];
  }
  return y;
}

Reference::Reference(const NetworkView& net)
    : vocab_(net.vocab),
      N_(net.d_state),
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
    l.mixer = view.mixer();
    l.states = view.states();
    l.A = std::visit([](const auto& p) { return vector(p.A_log); }, view.params);
    for (double& a : l.A) a = -std::exp(a);
    if (const auto* p = std::get_if<S6View>(&view.params)) {
      l.dt_rank = p->rank;
      l.x_proj = matrix(p->x_proj);
      l.dt_proj = matrix(p->dt_proj);
      l.dt_bias = vector(p->dt_bias);
    } else {
      const S4dView& s4d = std::get<S4dView>(view.params);
      l.delta = vector(s4d.log_dt);  // for good
      for (double& dt : l.delta) dt = std::exp(dt);
      const Vector A_im = vector(s4d.A_im);
      const Vector C = vector(s4d.C);
      for (std::size_t i = 0; i < A_im.size(); ++i) {
        l.A_complex.emplace_back(l.A[i], A_im[i]);
        l.C_complex.emplace_back(C[2 * i], C[2 * i + 1]);
      }
    }
    l.D = vector(view.w.D);
    l.out_proj = matrix(view.w.out_proj);
    l.out_bias = vector(view.w.out_proj_bias);
    layers_.push_back(std::move(l));
  }
  for (const TierView& view : net.tiers) {
    Tier t;
    static_cast<TierShape&>(t) = view;
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
    const std::size_t states = static_cast<std::size_t>(l.d_inner) * l.states;
    if (l.mixer == Mixer::s6) {
      l.h.assign(states, 0.0);
      l.delta.assign(static_cast<std::size_t>(l.d_inner), 0.0);
    } else {
      l.h_complex.assign(states, 0.0);
    }
  }
  for (Tier& t : tiers_) {
    t.group.assign(static_cast<std::size_t>(t.pool) * t.width, 0.0);
    t.up.assign(static_cast<std::size_t>(t.pool) * t.width, 0.0);
    t.phase = 0;
  }
  logits_.assign(static_cast<std::size_t>(vocab_), 0.0);
  position_ = 0;
}

Reference::Vector Reference::rmsnorm(const Vector& x, const Vector& weight) const {
  double sum = 0;
  for (const double v : x) sum += v * v;
  const double scale = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + eps_);
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * weight[i];
  return y;
}

// The selective state space: u [d_inner] to y [d_inner].
Reference::Vector Reference::s6(Layer& l, const Vector& u) const {
  const Vector dbc = l.x_proj * u;
  const double* B = dbc.data() + l.dt_rank;
  const double* C = B + N_;
  const Vector dt = l.dt_proj * Vector(dbc.begin(), dbc.begin() + l.dt_rank);
  Vector y(u.size());
  for (int c = 0; c < l.d_inner; ++c) {
    const double delta = softplus(dt[c] + l.dt_bias[c]);
    l.delta[c] = delta;
    y[c] = l.D[c] * u[c];
    for (int n = 0; n < N_; ++n) {
      double& h = l.h[static_cast<std::size_t>(c) * N_ + n];
      h = std::exp(delta * l.A[static_cast<std::size_t>(c) * N_ + n]) * h + delta * B[n] * u[c];
      y[c] += C[n] * h;
    }
  }
  return y;
}

// The time-invariant one.
Reference::Vector Reference::s4d(Layer& l, const Vector& u) {
  Vector y(u.size());
  for (int c = 0; c < l.d_inner; ++c) {
    Complex sum = 0.0;
    for (int m = 0; m < l.states; ++m) {
      const std::size_t i = static_cast<std::size_t>(c) * l.states + m;
      const Complex A = l.A_complex[i];
      const Complex decay = std::exp(l.delta[c] * A);
      l.h_complex[i] = decay * l.h_complex[i] + u[c];
      const Complex held = A == 0.0 ? l.delta[c] : (decay - 1.0) / A;  // zero-order hold
      sum += l.C_complex[i] * held * l.h_complex[i];
    }
    y[c] = 2.0 * sum.real() + l.D[c] * u[c];
  }
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

  Vector y = l.mixer == Mixer::s6 ? s6(l, u) : s4d(l, u);
  for (int c = 0; c < d; ++c) y[c] *= silu(uz[static_cast<std::size_t>(d) + c]);
  const Vector out = l.out_proj * y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] += out[i] + (l.out_bias.empty() ? 0.0 : l.out_bias[i]);
  }
}

// One step of tier s, from its input to its output; steps the tiers inside it when a group is full.
Reference::Vector Reference::tier_step(std::size_t s, Vector x) {
  Tier& t = tiers_[s];
  for (int i = t.down_begin; i < t.down_end; ++i) block(layers_[i], x);
  if (t.pool == 0) return x;

  const Vector skip = x;
  const std::size_t row = static_cast<std::size_t>(t.phase) * t.width;
  for (int i = 0; i < t.width; ++i) x[i] = t.up[row + i] + skip[i];
  for (int i = t.up_begin; i < t.up_end; ++i) block(layers_[i], x);

  // The inner tier steps after the last step of the group; its result feeds the next group.
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
    const Layer& l = layers_[i];
    put(layout_.layers[i].h, l.h);
    Vector parts;  // s4d: the real ones, then the imaginary ones
    for (const Complex& h : l.h_complex) parts.push_back(h.real());
    for (const Complex& h : l.h_complex) parts.push_back(h.imag());
    put(layout_.layers[i].h, parts);
  }
  for (std::size_t s = 0; s < layout_.pools.size(); ++s) {
    put(layout_.pools[s].group, tiers_[s].group);
    put(layout_.pools[s].up, tiers_[s].up);
  }
  put(layout_.logits, logits_);
  return out;
}

std::span<const double> Reference::delta(int layer) const { return layers_[layer].delta; }

}  // namespace mambo
