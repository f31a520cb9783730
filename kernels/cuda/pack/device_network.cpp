#include "kernels/cuda/pack/device_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "kernels/cuda/pack/half.h"
#include "kernels/mixers/s4d.h"

namespace mambo::cuda {
namespace {

std::size_t at(int row, int cols, int col) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(cols) +
         static_cast<std::size_t>(col);
}

// Gathers everything into one blob, so that one allocation and one copy bring it over.
class Packer {
 public:
  explicit Packer(WeightStorage storage) : half_(storage == WeightStorage::half) {}

  std::size_t floats(const std::vector<float>& v) {
    return append(v.data(), v.size() * sizeof(float));
  }

  // Values as weights are stored, in order.
  std::size_t weights(const std::vector<float>& v) {
    if (!half_) return floats(v);
    const std::vector<__half> h = to_halves(v);
    return append(h.data(), h.size() * sizeof(__half));
  }

  // value(row, col) of the padded matrix, in tiles (network.h).
  std::size_t tiles(int rows, int cols, const std::function<float(int, int)>& value) {
    std::vector<float> v;
    v.reserve(at(rows, cols, 0));
    for (int tile = 0; tile < rows / 16; ++tile) {
      for (int k = 0; k < cols / 16; ++k) {
        for (int lane = 0; lane < 32; ++lane) {
          const int r = tile * 16 + lane / 4;
          const int c = k / 2 * 32 + lane % 4 * 8 + k % 2 * 4;
          if (half_) {  // a0 a1 a2 a3 of mma.m16n8k16
            for (const int i : {0, 2})
              for (const int row : {r, r + 8})
                for (const int j : {0, 1}) v.push_back(value(row, c + i + j));
          } else {
            for (const int row : {r, r + 8})
              for (int j = 0; j < 4; ++j) v.push_back(value(row, c + j));
          }
        }
      }
    }
    return weights(v);
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::size_t append(const void* data, std::size_t n) {
    const std::size_t begin = (bytes_.size() + 127) / 128 * 128;
    bytes_.resize(begin + n);
    if (n > 0) std::memcpy(bytes_.data() + begin, data, n);
    return begin;
  }
  bool half_;
  std::vector<std::byte> bytes_;
};

// A tensor whose elements outside are zero.
class Padded {
 public:
  explicit Padded(const TensorView& t)
      : rows_(static_cast<int>(t.rows)), cols_(static_cast<int>(t.cols)), v_(to_float(t)) {}
  float operator()(int row, int col) const {
    return row >= 0 && row < rows_ && col < cols_ ? v_[at(row, cols_, col)] : 0.0F;
  }
  float operator[](int i) const {  // of a vector; 0 outside, and where there is none
    return static_cast<std::size_t>(i) < v_.size() ? v_[static_cast<std::size_t>(i)] : 0.0F;
  }

 private:
  int rows_, cols_;
  std::vector<float> v_;
};

std::vector<float> vector_of(const TensorView& t, int size) {
  const Padded p(t);
  std::vector<float> v(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) v[static_cast<std::size_t>(i)] = p[i];
  return v;
}

// What a channel's record begins with (network.h).
using Values = std::vector<float>;
using ChannelValues = std::function<float(int channel, int i)>;
struct RecordHead {
  ChannelValues first, second;  // A and dt_proj, or decay and gain; of real channels
  Values delta;                 // dt bias, or what is constant
};

RecordHead selective_head(const S6View& s6, int N) {
  // 1.442695: log2 e, so that the kernels' exponential is exp2.
  return {[A = Padded(s6.A_log), N](int c, int n) {
            return n < N ? -std::exp(A(c, n)) * 1.44269504088896F : 0.0F;
          },
          [dt = Padded(s6.dt_proj), rank = s6.rank](int c, int r) {
            return r < rank ? dt(c, r) : 0.0F;
          },
          vector_of(s6.dt_bias, static_cast<int>(s6.dt_bias.size()))};
}

RecordHead invariant_head(const S4dView& view) {
  const S4dModes modes = s4d_modes(view);
  const int M = view.states();
  const auto part = [M](const std::vector<std::complex<float>>& v, float sign) -> ChannelValues {
    return [v, M, sign](int c, int i) {
      if (i / 2 >= M) return 0.0F;
      const std::complex<float>& x = v[at(c, M, i / 2)];
      return i % 2 == 0 ? x.real() : sign * x.imag();
    };
  };
  return {part(modes.decay, 1), part(modes.gain, -1), modes.dt};
}

// The records of a layer's channel tiles.
Values tile_records(const LayerView& view, const LayerDev& l, int d_inner, int N, int K) {
  const BlockView& w = view.w;
  const auto* s6 = std::get_if<S6View>(&view.params);
  const RecordHead head =
      s6 != nullptr ? selective_head(*s6, N) : invariant_head(std::get<S4dView>(view.params));
  const Padded in_bias(w.in_proj_bias), conv(w.conv), conv_bias(w.conv_bias), D(w.D);
  Values v;
  for (int c0 = 0; c0 < l.dp; c0 += 8) {
    const auto each = [&](const std::function<float(int)>& f) {
      for (int c = c0; c < c0 + 8; ++c) v.push_back(c < d_inner ? f(c) : 0.0F);
    };
    const auto rows = [&](const ChannelValues& f, int n) {
      for (int c = c0; c < c0 + 8; ++c)
        for (int i = 0; i < n; ++i) v.push_back(c < d_inner ? f(c, i) : 0.0F);
    };
    rows(head.first, l.h_floats);
    rows(head.second, l.second);
    each([&](int c) { return in_bias[c]; });
    each([&](int c) { return in_bias[d_inner + c]; });
    for (int k = 0; k < K; ++k) each([&](int c) { return conv(c, k); });
    each([&](int c) { return conv_bias[c]; });
    each([&](int c) { return head.delta[static_cast<std::size_t>(c)]; });
    each([&](int c) { return D[c]; });
  }
  return v;
}

}  // namespace

DeviceNetwork::DeviceNetwork(const NetworkView& net, const StatePlan& plan, WeightStorage storage)
    : records_(network_records(net, plan, storage)) {
  Packer packer(storage);
  std::vector<std::pair<const void**, std::size_t>>
      places;  // patched when the blob has its address
  const auto place = [&places](const auto*& pointer, std::size_t where) {
    places.emplace_back(reinterpret_cast<const void**>(&pointer), where);
  };

  const int N = net.d_state;
  const int np = plan.np;
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const LayerView& view = net.layers[i];
    const TierView& tier = net.tier_of(view);
    const auto* s6 = std::get_if<S6View>(&view.params);
    const int rank = view.dt_rank();
    const int d_inner = tier.d_inner;
    LayerDev& l = records_.layers[i];

    const Padded norm(view.w.norm), in(view.w.in_proj),
        x(s6 != nullptr ? s6->x_proj : TensorView()), out(view.w.out_proj);
    place(l.in_proj, packer.tiles(2 * l.dp, l.wp, [&](int row, int col) {
      const int channel = row / 16 * 8 + row % 8;
      if (channel >= d_inner) return 0.0F;
      return in(row % 16 < 8 ? channel : d_inner + channel, col) * norm[col];
    }));
    place(l.x_proj, packer.tiles(l.xp, l.dp, [&](int row, int col) {
      if (row < l.rp) return row < rank ? x(row, col) : 0.0F;
      const int n = (row - l.rp) % np;
      return n < N ? x(rank + (row - l.rp) / np * N + n, col) : 0.0F;
    }));
    place(l.out_proj, packer.tiles(l.wp, l.dp, out));
    place(l.records, packer.floats(tile_records(view, l, d_inner, N, net.d_conv)));
    place(l.out_bias, packer.floats(vector_of(view.w.out_proj_bias, l.wp)));
  }

  for (std::size_t s = 0; s < net.tiers.size(); ++s) {
    const TierView& view = net.tiers[s];
    TierDev& t = records_.tiers[s];
    if (view.pool == 0) continue;
    const int inner = padded(net.tiers[s + 1].width, 32);
    const int d = view.width;
    const int wp = t.wp;
    const Padded down(view.down_pool), up(view.up_pool), up_bias(view.up_pool_bias);
    // Steps of a group stand padded side by side, in the state and so in these columns and rows.
    place(t.down_pool, packer.tiles(inner, t.pool * wp, [&](int row, int col) {
      return col % wp < d ? down(row, col / wp * d + col % wp) : 0.0F;
    }));
    place(t.up_pool, packer.tiles(t.pool * wp, inner, [&](int row, int col) {
      return row % wp < d ? up(row / wp * d + row % wp, col) : 0.0F;
    }));
    place(t.down_bias, packer.floats(vector_of(view.down_pool_bias, inner)));
    std::vector<float> bias(at(t.pool, wp, 0), 0.0F);
    for (int r = 0; r < t.pool; ++r)
      for (int i = 0; i < d; ++i) bias[at(r, wp, i)] = up_bias[r * d + i];
    place(t.up_bias, packer.floats(bias));
  }

  NetDev& all = records_.view;
  const int wp0 = records_.tiers.front().wp;
  const Padded embed(net.embed), head(net.head), norm_f(net.norm_f), head_bias(net.head_bias);
  std::vector<float> rows(at(net.vocab, wp0, 0));
  for (int v = 0; v < net.vocab; ++v)
    for (int i = 0; i < wp0; ++i) rows[at(v, wp0, i)] = embed(v, i);
  place(all.embed, packer.weights(rows));
  place(all.head,
        packer.tiles(plan.vp, wp0, [&](int row, int col) { return head(row, col) * norm_f[col]; }));
  std::vector<float> bias(static_cast<std::size_t>(plan.vp), -1e30F);  // padding is never drawn
  for (int v = 0; v < net.vocab; ++v) bias[static_cast<std::size_t>(v)] = head_bias[v];
  place(all.head_bias, packer.floats(bias));

  blob_ = DeviceBuffer<std::byte>(packer.bytes());
  for (const auto& [pointer, where] : places) *pointer = blob_.data() + where;
  device_layers_ = DeviceBuffer<LayerDev>(records_.layers);
  device_tiers_ = DeviceBuffer<TierDev>(records_.tiers);
  all.layers = device_layers_.data();
  all.tiers = device_tiers_.data();
}

}  // namespace mambo::cuda
