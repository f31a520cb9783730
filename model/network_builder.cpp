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
  constexpr std::int64_t kBlock =
      4096;  // without a way out inside, so that the compiler vectorises it
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

// One such weight makes every later sample NaN: a damaged file, a diverged training.
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

// A tensor of unknown shape is not judged: what is missing instead is reported.
void take_all(WeightSource& source, const std::string& prefix,
              const std::vector<TensorRow>& table) {
  for (const TensorRow& row : table) {
    if (row.shape.empty())
      source.ignore(prefix + row.name);
    else
      *row.tensor = source.need(prefix + row.name, row.shape);
  }
}

// m: prefix of the mixer's tensors.
S6View take_s6(WeightSource& source, const std::string& m, std::int64_t d_inner, std::int64_t n) {
  // R is whatever x_proj leaves beside B and C. It is at most d_inner: more would be no bottleneck
  // but a mistake.
  const std::int64_t rows = source.rows(m + "x_proj.weight");
  const std::int64_t rank = rows - 2 * n;
  if (rows != 0 && (rank < 1 || rank > d_inner)) {
    throw Error(source.file_name() + ": tensor " + m + "x_proj.weight: expected from " +
                std::to_string(2 * n + 1) + " to " + std::to_string(2 * n + d_inner) +
                " rows (dt_rank + 2 x d_state), found " + std::to_string(rows));
  }
  S6View view;
  view.rank = rows == 0 ? 0 : static_cast<int>(rank);
  take_all(source, m, view.tensors(d_inner, n));
  return view;
}

// M is whatever A_log has.
S4dView take_s4d(WeightSource& source, const std::string& m, std::int64_t d_inner) {
  constexpr std::int64_t max_states = 64;
  const std::vector<std::int64_t> shape = source.shape(m + "A_log");
  if (!shape.empty() &&
      (shape.size() != 2 || shape[0] != d_inner || shape[1] < 1 || shape[1] > max_states)) {
    // What comes before in the table is judged first.
    source.need(m + "log_dt", {d_inner});
    throw Error(source.file_name() + ": tensor " + m + "A_log: expected shape [" +
                std::to_string(d_inner) + ", M] with M from 1 to " + std::to_string(max_states) +
                ", found " + shape_text(shape));
  }
  S4dView view;
  take_all(source, m, view.tensors(d_inner, shape.empty() ? 0 : shape[1]));
  return view;
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
  BlockView& w = layer.w;
  w.norm = source.need(names.norm + "norm.weight", {d});
  w.in_proj = source.need(m + "in_proj.weight", {2 * d_inner, d});
  w.in_proj_bias = take(source, names.proj_bias, m + "in_proj.bias", {2 * d_inner});
  w.conv = source.need(m + "conv1d.weight", {d_inner, 1, config.d_conv});
  w.conv_bias = take(source, names.conv_bias, m + "conv1d.bias", {d_inner});
  switch (config.mixer(tier)) {
    case Mixer::s6:
      layer.params = take_s6(source, m, d_inner, config.d_state);
      break;
    case Mixer::s4d:
      layer.params = take_s4d(source, m, d_inner);
      break;
  }
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
