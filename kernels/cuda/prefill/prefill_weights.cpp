#include "kernels/cuda/prefill/prefill_weights.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <variant>

#include "kernels/cuda/pack/half.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/mixers/s4d.h"

namespace mambo::cuda {
namespace {

using Floats = std::vector<float>;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

// Rows or columns that come in segments of `from` real elements, each padded to `to`.
struct Segments {
  int from, to;
  int real(int i) const { return i % to < from ? i / to * from + i % to : -1; }  // -1: padding
};

// Everything in one piece, so that there is one allocation and one copy. Pointers are set when all
// is gathered and the piece has its address.
class Gatherer {
 public:
  explicit Gatherer(WeightStorage storage) : half_(storage == WeightStorage::half) {}

  void floats(const float*& where, const Floats& v) {
    const std::size_t at = put(v.data(), v.size() * sizeof(float));
    pointers_.push_back(
        [&where, at](const std::byte* base) { where = reinterpret_cast<const float*>(base + at); });
  }

  void matrix(PrefillMatrix& m, int rows, int columns,
              const std::function<float(int, int)>& element) {
    Floats v(size(rows) * size(columns));
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) v[size(r) * size(columns) + size(c)] = element(r, c);
    }
    std::size_t at = 0;
    if (half_) {
      const std::vector<__half> h = to_halves(v);
      at = put(h.data(), h.size() * sizeof(__half));
    } else {
      at = put(v.data(), v.size() * sizeof(float));
    }
    m.rows = rows;
    m.columns = columns;
    pointers_.push_back([&m, at](const std::byte* base) { m.data = base + at; });
  }

  // A tensor whose rows and columns are padded.
  void matrix(PrefillMatrix& m, const TensorView& t, Segments row, int rows, Segments column,
              int columns) {
    const Floats v = to_float(t);
    matrix(m, rows, columns, [&](int r, int c) {
      const int i = row.real(r);
      const int j = column.real(c);
      if (i < 0 || j < 0 || i >= t.rows || j >= t.cols) return 0.0F;
      return v[size(i) * static_cast<std::size_t>(t.cols) + size(j)];
    });
  }

  // A vector padded likewise; of an empty tensor, zeros.
  void vector(const float*& where, const TensorView& t, Segments s, int n) {
    const Floats v = to_float(t);
    Floats out(size(n));
    for (int i = 0; i < n; ++i) {
      const int j = s.real(i);
      if (j >= 0 && size(j) < v.size()) out[size(i)] = v[size(j)];
    }
    floats(where, out);
  }

  DeviceBuffer<std::byte> upload() {
    DeviceBuffer<std::byte> memory(bytes_);
    for (const auto& set : pointers_) set(memory.data());
    return memory;
  }

 private:
  std::size_t put(const void* data, std::size_t n) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + (n + 255) / 256 * 256);
    std::memcpy(bytes_.data() + at, data, n);
    return at;
  }
  bool half_;
  std::vector<std::byte> bytes_;
  std::vector<std::function<void(const std::byte*)>> pointers_;
};

void gather_mixer(Gatherer& g, const S6View& view, PrefillLayer& l) {
  auto& m = l.mixer.emplace<PrefillS6>();
  m.N = view.states();
  m.rank = view.rank;
  m.states = scan_states(m.N);
  const Floats x = to_float(view.x_proj);
  g.matrix(m.x_proj, padded(2 * m.states + m.rank, 8), l.dp, [&](int r, int c) {
    const int part = std::min(r / m.states, 2);  // B, C, delta
    const int i = r - part * m.states;
    if (c >= l.d_inner || i >= (part == 2 ? m.rank : m.N)) return 0.0F;
    const int row = part == 2 ? i : m.rank + part * m.N + i;
    return x[size(row) * size(l.d_inner) + size(c)];
  });
  g.vector(m.dt_bias, view.dt_bias, {l.d_inner, l.dp}, l.dp);

  const Floats dt = to_float(view.dt_proj);
  const Floats rates = s6_decay_rates(view);
  Floats dt_columns(size(m.rank) * size(l.dp));
  Floats A(size(m.states) * size(l.dp), kScanPaddedA);
  const auto column = [&l](int row, int c) { return size(row) * size(l.dp) + size(c); };
  for (int c = 0; c < l.d_inner; ++c) {
    for (int k = 0; k < m.rank; ++k)
      dt_columns[column(k, c)] = dt[size(c) * size(m.rank) + size(k)];
    for (int n = 0; n < m.N; ++n) A[column(n, c)] = rates[size(c) * size(m.N) + size(n)];
  }
  g.floats(m.dt, dt_columns);
  g.floats(m.A, A);
}

void gather_mixer(Gatherer& g, const S4dView& view, PrefillLayer& l) {
  auto& m = l.mixer.emplace<PrefillS4d>();
  m.M = view.states();
  const S4dModes all = s4d_modes(view);
  Floats modes(mode_floats(l.dp, m.M));
  for (int c = 0; c < l.d_inner; ++c) {
    for (int j = 0; j < m.M; ++j) {
      const std::size_t i = size(c) * size(m.M) + size(j);
      float* at = modes.data() + mode_at(m.M, c, j);
      at[0] = all.decay[i].real();
      at[1] = all.decay[i].imag();
      at[2] = all.gain[i].real();
      at[3] = all.gain[i].imag();
    }
  }
  Floats delta = all.dt;
  delta.resize(size(l.dp));
  g.floats(m.modes, modes);
  g.floats(m.delta, delta);
}

void gather_layer(Gatherer& g, const NetworkView& net, const LayerView& view, PrefillLayer& l) {
  const TierView& tier = net.tier_of(view);
  const BlockView& w = view.w;
  l.tier = view.tier;
  l.width = tier.width;
  l.d_inner = tier.d_inner;
  l.wp = padded(l.width, 32);
  l.dp = padded(l.d_inner, 32);
  const Segments width{l.width, l.wp};
  const Segments inner{l.d_inner, l.dp};
  g.matrix(l.in_proj, w.in_proj, inner, 2 * l.dp, width, l.wp);
  g.matrix(l.out_proj, w.out_proj, width, l.wp, inner, l.dp);
  g.vector(l.norm, w.norm, width, l.wp);
  if (w.in_proj_bias) g.vector(l.in_bias, w.in_proj_bias, inner, 2 * l.dp);
  if (w.out_proj_bias) g.vector(l.out_bias, w.out_proj_bias, width, l.wp);
  g.vector(l.conv_bias, w.conv_bias, inner, l.dp);
  g.vector(l.D, w.D, inner, l.dp);

  const Floats conv = to_float(w.conv);
  Floats conv_columns(size(net.d_conv) * size(l.dp));
  for (int c = 0; c < l.d_inner; ++c) {
    for (int k = 0; k < net.d_conv; ++k)
      conv_columns[size(k) * size(l.dp) + size(c)] = conv[size(c) * size(net.d_conv) + size(k)];
  }
  g.floats(l.conv, conv_columns);
  std::visit([&](const auto& mixer) { gather_mixer(g, mixer, l); }, view.params);
}

void gather_tier(Gatherer& g, const NetworkView& net, std::size_t s, PrefillTier& t) {
  const TierView& view = net.tiers[s];
  static_cast<TierShape&>(t) = static_cast<const TierShape&>(view);
  t.wp = padded(view.width, 32);
  if (t.pool == 0) return;
  const int next = net.tiers[s + 1].width;
  const Segments inner{next, padded(next, 32)};
  const Segments group{t.width, t.wp};
  g.matrix(t.down_pool, view.down_pool, inner, inner.to, group, t.pool * t.wp);
  g.matrix(t.up_pool, view.up_pool, group, t.pool * t.wp, inner, inner.to);
  g.vector(t.down_bias, view.down_pool_bias, inner, inner.to);
  g.vector(t.up_bias, view.up_pool_bias, group, t.pool * t.wp);
}

}  // namespace

PrefillWeights::PrefillWeights(const NetworkView& net, WeightStorage storage)
    : vocab(net.vocab),
      vp(padded(net.vocab, 32)),
      K(net.d_conv),
      eps(net.norm_eps),
      has_head_bias(static_cast<bool>(net.head_bias)),
      layers(net.layers.size()),
      tiers(net.tiers.size()) {
  Gatherer g(storage);
  const int width = net.tiers[0].width;
  const int wp = padded(width, 32);
  const Floats e = to_float(net.embed);
  Floats rows(size(vocab) * size(wp));
  for (int v = 0; v < vocab; ++v)
    std::copy_n(e.data() + size(v) * size(width), width, rows.data() + size(v) * size(wp));
  g.floats(embed, rows);
  g.vector(norm_f, net.norm_f, {width, wp}, wp);
  g.matrix(head, net.head, {vocab, vp}, vp, {width, wp}, wp);
  Floats bias(size(vp), -1e30F);
  std::fill_n(bias.begin(), vocab, 0.0F);
  if (net.head_bias) to_float(net.head_bias, bias.data());
  g.floats(head_bias, bias);
  for (std::size_t i = 0; i < layers.size(); ++i) gather_layer(g, net, net.layers[i], layers[i]);
  for (std::size_t s = 0; s < tiers.size(); ++s) gather_tier(g, net, s, tiers[s]);
  memory = g.upload();
}

}  // namespace mambo::cuda
