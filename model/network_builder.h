// From the tensors of a file to a NetworkView: what the native and the ecosystem's loaders share.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "kernels/network.h"
#include "model/config.h"
#include "model/tensor_file.h"

namespace mambo {

// Hands out a file's weights by name and records which were missing and which were not used.
class WeightSource {
 public:
  explicit WeightSource(const TensorFile& file) : file_(file) {}

  // Throws Error for another shape, or a type that holds no weights. A missing tensor gives an
  // empty view and is reported by finish(), so that the user sees all that are missing at once.
  TensorView need(const std::string& name, const std::vector<std::int64_t>& shape);
  TensorView optional(const std::string& name, const std::vector<std::int64_t>& shape);
  void ignore(const std::string& name) { asked_.insert(name); }
  // First dimension of a two-dimensional tensor, or 0 when it is missing or has another rank.
  std::int64_t rows(const std::string& name) const;
  // The shape of a tensor, or none when it is missing.
  std::vector<std::int64_t> shape(const std::string& name) const;
  // Throws Error naming the missing and the unexpected tensors (all of a few).
  void finish() const;
  const std::string& file_name() const { return file_.name(); }

 private:
  const TensorFile& file_;
  std::set<std::string> asked_;
  std::vector<std::string> missing_;
};

// The biases that a format may or may not have.
enum class Presence : std::uint8_t { absent, optional, required };

struct BlockNames {
  std::string norm;    // prefix of norm.weight
  std::string mixer;   // prefix of all others
  Presence proj_bias;  // in_proj.bias, out_proj.bias
  Presence conv_bias;
};

// One block of width d with its tier's mixer. The rank of an s6 block follows from x_proj's rows,
// an s4d block's M from A_log's columns.
LayerView build_block(WeightSource& source, const Config& config, int tier, Side side,
                      std::string name, const BlockNames& names);

// Shapes of the tiers, without tensors: width, d_inner, stride, pool.
NetworkView network_shape(const Config& config);

// The tensors of one native file or one ecosystem folder. Throw Error.
NetworkView build_native(const TensorFile& file, const Config& config);

struct EcosystemConfig {
  Config config;
  bool use_bias = false;  // in_proj and out_proj
  bool use_conv_bias = true;
  bool tied = true;  // lm_head is the embedding
  int dt_rank = 0;
};
// `json`: the text of config.json. name: the model's, from its folder.
EcosystemConfig parse_ecosystem_config(std::string_view json, const std::string& where,
                                       const std::string& name);
NetworkView build_ecosystem(const TensorFile& file, const EcosystemConfig& config);

}  // namespace mambo
