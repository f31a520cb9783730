#include "model/network_builder.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

// Where T's exponent bits are all set: NaN or an infinity. -1: nowhere.
template <class T>
std::int64_t first_with_all_of(T exponent, const std::byte* data, std::int64_t n) {
  constexpr std::int64_t kBlock = 4096;  // without a way out inside, so that it is done in vectors
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(n, begin + kBlock);
    const auto at = [&](std::int64_t i) {
      T bits;
      std::memcpy(&bits, data + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
      return (bits & exponent) == exponent;
    };
    bool any = false;
    for (std::int64_t i = begin; i < end; ++i) any |= at(i);
    for (std::int64_t i = begin; any && i < end; ++i) {
      if (at(i)) return i;
    }
  }
  return -1;
}

// One such weight makes every sample from it on nothing: a file that was spoiled, a training that
// blew up.
std::int64_t first_strange(const TensorView& t) {
  switch (t.dtype) {
    case DType::f32:
      return first_with_all_of<std::uint32_t>(0x7F800000U, t.data, t.size());
    case DType::f16:
      return first_with_all_of<std::uint16_t>(0x7C00U, t.data, t.size());
    case DType::bf16:
      return first_with_all_of<std::uint16_t>(0x7F80U, t.data, t.size());
    case DType::u8:
      break;
  }
  return -1;
}

std::string list_names(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    out += (i == 0 ? "" : ", ") + printable(names[i]);
  }
  if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
  return out;
}

TensorView take(WeightSource& source, Presence presence, const std::string& name,
                const std::vector<std::int64_t>& shape) {
  switch (presence) {
    case Presence::absent:
      return {};
    case Presence::optional:
      return source.optional(name, shape);
    case Presence::required:
      return source.need(name, shape);
  }
  return {};
}

// m: prefix of the mixer's tensors.
void take_s6(WeightSource& source, const std::string& m, std::int64_t d_inner, std::int64_t n,
             LayerView& layer) {
  BlockView& w = layer.w;
  // R is whatever x_proj leaves beside B and C. It is at most d_inner: more would be no bottleneck
  // but a mistake. A missing x_proj is reported with the others; then dt_proj's shape cannot be
  // judged.
  const std::int64_t rows = source.rows(m + "x_proj.weight");
  const std::int64_t rank = rows - 2 * n;
  if (rows != 0 && (rank < 1 || rank > d_inner)) {
    throw Error(source.file_name() + ": tensor " + m + "x_proj.weight: expected from " +
                std::to_string(2 * n + 1) + " to " + std::to_string(2 * n + d_inner) +
                " rows (dt_rank + 2 x d_state), found " + std::to_string(rows));
  }
  layer.dt_rank = rows == 0 ? 0 : static_cast<int>(rank);
  w.x_proj = source.need(m + "x_proj.weight", {layer.dt_rank + 2 * n, d_inner});
  if (rows != 0) {
    w.dt_proj = source.need(m + "dt_proj.weight", {d_inner, rank});
  } else {
    source.ignore(m + "dt_proj.weight");
  }
  w.dt_proj_bias = source.need(m + "dt_proj.bias", {d_inner});
  w.A_log = source.need(m + "A_log", {d_inner, n});
}

// M is whatever A_log has; a missing A_log is reported with the others, and then the shapes of A_im
// and C cannot be judged.
void take_s4d(WeightSource& source, const std::string& m, std::int64_t d_inner, LayerView& layer) {
  constexpr std::int64_t max_states = 64;
  BlockView& w = layer.w;
  w.log_dt = source.need(m + "log_dt", {d_inner});
  const std::vector<std::int64_t> shape = source.shape(m + "A_log");
  if (shape.empty()) {
    source.need(m + "A_log", {d_inner, 1});
    source.ignore(m + "A_im");
    source.ignore(m + "C");
    return;
  }
  if (shape.size() != 2 || shape[0] != d_inner || shape[1] < 1 || shape[1] > max_states) {
    throw Error(source.file_name() + ": tensor " + m + "A_log: expected shape [" +
                std::to_string(d_inner) + ", M] with M from 1 to " + std::to_string(max_states) +
                ", found " + shape_text(shape));
  }
  w.A_log = source.need(m + "A_log", shape);
  w.A_im = source.need(m + "A_im", shape);
  w.C = source.need(m + "C", {shape[0], shape[1], 2});
}

}  // namespace

TensorView WeightSource::need(const std::string& name, const std::vector<std::int64_t>& shape) {
  TensorView view = optional(name, shape);
  if (!view) missing_.push_back(name);
  return view;
}

TensorView WeightSource::optional(const std::string& name, const std::vector<std::int64_t>& shape) {
  asked_.insert(name);
  if (!file_.has(name)) return {};
  TensorView view = file_.get(name, shape);
  if (view.dtype == DType::u8) {
    throw Error(file_.name() + ": tensor " + name + ": expected F32, F16 or BF16, found U8");
  }
  if (const std::int64_t i = first_strange(view); i >= 0) {
    throw Error(file_.name() + ": tensor " + name +
                ": expected finite numbers, found NaN or an infinity at element " +
                std::to_string(i));
  }
  return view;
}

std::int64_t WeightSource::rows(const std::string& name) const {
  const auto it = file_.tensors().find(name);
  if (it == file_.tensors().end() || it->second.shape.size() != 2) return 0;
  return it->second.shape.front();
}

std::vector<std::int64_t> WeightSource::shape(const std::string& name) const {
  const auto it = file_.tensors().find(name);
  return it == file_.tensors().end() ? std::vector<std::int64_t>() : it->second.shape;
}

void WeightSource::finish() const {
  std::vector<std::string> unexpected;
  for (const auto& [name, entry] : file_.tensors()) {
    if (asked_.count(name) == 0) unexpected.push_back(name);
  }
  if (missing_.empty() && unexpected.empty()) return;
  std::string what = file_.name() + ": expected exactly the tensors of its configuration, found ";
  if (!missing_.empty()) {
    what += std::to_string(missing_.size()) + " missing (" + list_names(missing_) + ")";
  }
  if (!unexpected.empty()) {
    what += std::string(missing_.empty() ? "" : " and ") + std::to_string(unexpected.size()) +
            " unexpected (" + list_names(unexpected) + ")";
  }
  throw Error(what);
}

LayerView build_block(WeightSource& source, const Config& config, int tier, Side side,
                      std::string name, const BlockNames& names) {
  const std::int64_t d = config.width(tier);
  const std::int64_t d_inner = config.d_inner(tier);
  const std::string& m = names.mixer;

  LayerView layer;
  layer.name = std::move(name);
  layer.tier = tier;
  layer.side = side;
  layer.mixer = config.mixer(tier);
  BlockView& w = layer.w;
  w.norm = source.need(names.norm + "norm.weight", {d});
  w.in_proj = source.need(m + "in_proj.weight", {2 * d_inner, d});
  w.in_proj_bias = take(source, names.proj_bias, m + "in_proj.bias", {2 * d_inner});
  w.conv = source.need(m + "conv1d.weight", {d_inner, 1, config.d_conv});
  w.conv_bias = take(source, names.conv_bias, m + "conv1d.bias", {d_inner});
  if (layer.mixer == Mixer::s6)
    take_s6(source, m, d_inner, config.d_state, layer);
  else
    take_s4d(source, m, d_inner, layer);
  w.D = source.need(m + "D", {d_inner});
  w.out_proj = source.need(m + "out_proj.weight", {d, d_inner});
  w.out_proj_bias = take(source, names.proj_bias, m + "out_proj.bias", {d});
  return layer;
}

NetworkView network_shape(const Config& config) {
  NetworkView net;
  net.vocab = config.vocab_size;
  net.d_state = config.d_state;
  net.d_conv = config.d_conv;
  net.norm_eps = static_cast<float>(config.norm_eps);
  for (int s = 0; s < config.tiers(); ++s) {
    TierView tier;
    tier.width = config.width(s);
    tier.d_inner = config.d_inner(s);
    tier.stride = config.stride(s);
    const auto at = static_cast<std::size_t>(s);
    tier.pool = at < config.pool.size() ? config.pool[at] : 0;
    net.tiers.push_back(tier);
  }
  return net;
}

}  // namespace mambo
