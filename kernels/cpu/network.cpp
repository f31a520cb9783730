#include "kernels/cpu/network.h"

#include <algorithm>

#include "kernels/mixers/s4d.h"

namespace mambo::cpu {
namespace {

constexpr int kPanelDepth = 512;  // deeper products go to BLAS

AlignedBuffer<float> padded_vector(const TensorView& t, int padded) {
  AlignedBuffer<float> out(static_cast<std::size_t>(padded));
  if (t) {
    const std::vector<float> v = to_float(t);
    std::copy(v.begin(), v.end(), out.data());
  }
  return out;
}

Linear make_linear(int rows, int cols, WeightStorage storage,
                   const std::function<float(int, int)>& at) {
  Linear l;
  l.packed = pack(rows, cols, storage, at);
  l.dense = unpack(l.packed);
  if (l.packed.cols <= kPanelDepth) {
    const auto columns = static_cast<std::size_t>(l.packed.cols);
    l.panels = pack(l.packed.rows, l.packed.cols, WeightStorage::f32, [&](int r, int c) {
      return l.dense[static_cast<std::size_t>(r) * columns + static_cast<std::size_t>(c)];
    });
    l.dense = {};
  }
  l.bias = AlignedBuffer<float>(static_cast<std::size_t>(l.packed.rows));
  return l;
}

// Rows and columns come in segments of `from` real elements, each padded to `to`; -1 for padding.
int unpadded(int i, int from, int to) { return i % to < from ? i / to * from + i % to : -1; }

struct Segments {
  int from, to;
};

Linear make_linear(const TensorView& w, const TensorView& bias, Segments rows, int row_count,
                   Segments cols, int col_count, WeightStorage storage) {
  const std::vector<float> v = to_float(w);
  Linear l = make_linear(row_count, col_count, storage, [&](int r, int c) {
    const int i = unpadded(r, rows.from, rows.to);
    const int j = unpadded(c, cols.from, cols.to);
    return i < 0 || j < 0 ? 0.0F
                          : v[static_cast<std::size_t>(i) * static_cast<std::size_t>(w.cols) + j];
  });
  if (bias) {
    const std::vector<float> b = to_float(bias);
    for (int r = 0; r < row_count; ++r) {
      const int i = unpadded(r, rows.from, rows.to);
      if (i >= 0) l.bias[static_cast<std::size_t>(r)] = b[static_cast<std::size_t>(i)];
    }
  }
  return l;
}

void add_s6(Layer& l, const S6View& view, WeightStorage storage) {
  const int N = l.states;
  const Segments inner{l.d_inner, l.dp};
  l.rank = view.rank;
  const int xrows = l.rank + 2 * N;
  l.x_proj =
      make_linear(view.x_proj, {}, {xrows, round_up(xrows)}, round_up(xrows), inner, l.dp, storage);
  l.xp = l.x_proj.packed.rows;
  l.dt_proj =
      make_linear(view.dt_proj, view.dt_bias, inner, l.dp, {l.rank, l.rank}, l.rank, storage);
  // Column k of dt_proj as prefill uses it: the packed values, transposed back.
  l.dt_columns = AlignedBuffer<float>(static_cast<std::size_t>(l.rank) * l.dp);
  const std::vector<float> dt = unpack(l.dt_proj.packed);
  for (int c = 0; c < l.dp; ++c) {
    for (int k = 0; k < l.rank; ++k) {
      l.dt_columns[static_cast<std::size_t>(k) * l.dp + c] =
          dt[static_cast<std::size_t>(c) * l.dt_proj.packed.cols + k];
    }
  }
  const std::vector<float> rates = s6_decay_rates(view);
  l.A = AlignedBuffer<float>(static_cast<std::size_t>(N) * l.dp);
  for (int c = 0; c < l.d_inner; ++c) {
    for (int n = 0; n < N; ++n) {
      l.A[(static_cast<std::size_t>(c / kBlock) * N + n) * kBlock + c % kBlock] =
          rates[static_cast<std::size_t>(c) * N + n];
    }
  }
}

void add_s4d(Layer& l, const S4dView& view) {
  const S4dModes modes = s4d_modes(view);
  l.modes = AlignedBuffer<float>(static_cast<std::size_t>(l.dp) * l.states * kMode);
  l.dt = AlignedBuffer<float>(static_cast<std::size_t>(l.dp));
  for (int c = 0; c < l.d_inner; ++c) {
    l.dt[static_cast<std::size_t>(c)] = modes.dt[static_cast<std::size_t>(c)];
    for (int m = 0; m < l.states; ++m) {
      const std::size_t i = static_cast<std::size_t>(c) * l.states + m;
      float* out = l.modes.data() +
                   (static_cast<std::size_t>(c / kBlock) * l.states + m) * kMode * kBlock +
                   c % kBlock;
      out[0 * kBlock] = modes.decay[i].real();
      out[1 * kBlock] = modes.decay[i].imag();
      out[2 * kBlock] = modes.gain[i].real();
      out[3 * kBlock] = modes.gain[i].imag();
    }
  }
}

Layer make_layer(const NetworkView& net, const LayerView& view, WeightStorage storage) {
  const TierView& tier = net.tier_of(view);
  const int K = net.d_conv;
  Layer l;
  l.mixer = view.mixer();
  l.tier = view.tier;
  l.width = tier.width;
  l.d_inner = tier.d_inner;
  l.wp = round_up(l.width);
  l.dp = round_up(l.d_inner);
  l.states = view.states();
  const Segments width{l.width, l.wp};
  const Segments inner{l.d_inner, l.dp};
  l.norm = padded_vector(view.w.norm, l.wp);
  l.in_proj =
      make_linear(view.w.in_proj, view.w.in_proj_bias, inner, 2 * l.dp, width, l.wp, storage);
  l.out_proj =
      make_linear(view.w.out_proj, view.w.out_proj_bias, width, l.wp, inner, l.dp, storage);
  l.D = padded_vector(view.w.D, l.dp);
  l.conv_bias = padded_vector(view.w.conv_bias, l.dp);
  const std::vector<float> conv = to_float(view.w.conv);
  l.conv = AlignedBuffer<float>(static_cast<std::size_t>(K) * l.dp);
  for (int c = 0; c < l.d_inner; ++c) {
    for (int k = 0; k < K; ++k) {
      l.conv[static_cast<std::size_t>(k) * l.dp + c] = conv[static_cast<std::size_t>(c) * K + k];
    }
  }
  if (const auto* s6 = std::get_if<S6View>(&view.params))
    add_s6(l, *s6, storage);
  else
    add_s4d(l, std::get<S4dView>(view.params));
  return l;
}

}  // namespace

Network::Network(const NetworkView& view, WeightStorage weight_storage)
    : vocab(view.vocab),
      vp(round_up(view.vocab)),
      N(view.d_state),
      K(view.d_conv),
      eps(view.norm_eps),
      storage(weight_storage) {
  const int width = view.tiers[0].width;
  const int wp = round_up(width);
  embed = AlignedBuffer<float>(static_cast<std::size_t>(vocab) * wp);
  const std::vector<float> e = to_float(view.embed);
  for (int v = 0; v < vocab; ++v) {
    std::copy_n(e.begin() + static_cast<std::ptrdiff_t>(v) * width, width,
                embed.data() + static_cast<std::ptrdiff_t>(v) * wp);
  }
  norm_f = padded_vector(view.norm_f, wp);
  head = make_linear(view.head, view.head_bias, {vocab, vp}, vp, {width, wp}, wp, storage);
  for (int i = vocab; i < vp; ++i) head.bias[static_cast<std::size_t>(i)] = -1e30F;  // never drawn
  for (const LayerView& l : view.layers) layers.push_back(make_layer(view, l, storage));
  for (std::size_t s = 0; s < view.tiers.size(); ++s) {
    const TierView& t = view.tiers[s];
    Tier out;
    static_cast<TierShape&>(out) = t;
    out.wp = round_up(t.width);
    if (t.pool > 0) {
      const int inner = view.tiers[s + 1].width;
      const int innerp = round_up(inner);
      out.down_pool = make_linear(t.down_pool, t.down_pool_bias, {inner, innerp}, innerp,
                                  {t.width, out.wp}, t.pool * out.wp, storage);
      out.up_pool = make_linear(t.up_pool, t.up_pool_bias, {t.width, out.wp}, t.pool * out.wp,
                                {inner, innerp}, innerp, storage);
    }
    tiers.push_back(std::move(out));
  }
  const auto count = [this](const Linear& l) {
    weight_bytes += l.packed.bytes() + l.bias.size() * 4;
  };
  count(head);
  weight_bytes += embed.size() * 4;
  for (const Layer& l : layers) {
    for (const Linear* m : {&l.in_proj, &l.x_proj, &l.dt_proj, &l.out_proj}) count(*m);
    weight_bytes += (l.A.size() + l.modes.size() + l.D.size() + l.conv.size() + l.conv_bias.size() +
                     l.norm.size()) *
                    4;
  }
  for (const Tier& t : tiers) {
    if (t.pool == 0) continue;
    count(t.down_pool);
    count(t.up_pool);
  }
}

StatePlan::StatePlan(const Network& net) {
  std::size_t at = 0;
  const auto take = [&at](std::size_t n) {
    const std::size_t here = at;
    at += (n + kBlock - 1) / kBlock * kBlock;
    return here;
  };
  std::size_t max_dp = 0;
  std::size_t max_wp = 0;
  std::size_t max_xp = 0;
  for (const Layer& l : net.layers) {
    layers.push_back({take(static_cast<std::size_t>(net.K) * l.dp),
                      take(static_cast<std::size_t>(l.h_rows()) * l.dp)});
    max_dp = std::max<std::size_t>(max_dp, l.dp);
    max_xp = std::max<std::size_t>(max_xp, l.xp);
  }
  for (const Tier& t : net.tiers) {
    max_wp = std::max<std::size_t>(max_wp, t.wp);
    if (t.pool == 0) continue;
    const std::size_t n = static_cast<std::size_t>(t.pool) * t.wp;
    pools.push_back({take(n), take(n)});
  }
  logits = take(static_cast<std::size_t>(net.vp));
  persistent = at;
  for (const Tier& t : net.tiers) {
    x.push_back(take(static_cast<std::size_t>(t.wp)));
    skip.push_back(take(static_cast<std::size_t>(t.wp)));
  }
  xn = take(max_wp);
  uz = take(2 * max_dp);
  u = take(max_dp);
  dbc = take(max_xp + kBlock);
  delta = take(max_dp);
  probs = take(static_cast<std::size_t>(net.vp));
  size = at;
}

}  // namespace mambo::cpu
