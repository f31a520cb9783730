// A model file opened and checked: the native safetensors file or an ecosystem folder (config.json
// and model.safetensors of transformers' MambaForCausalLM). Immutable; shared between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "kernels/network.h"
#include "model/config.h"
#include "model/tensor_file.h"

namespace mambo {

struct LoadOptions {
  std::optional<int> sample_rate;  // for ecosystem folders, which do not say; otherwise an override
  std::optional<Encoding> encoding;  // likewise
};

// Size and cost of a model, counted from its shapes.
struct ModelStats {
  std::uint64_t parameters = 0;
  double macs_per_sample_mean = 0;          // multiply-adds in matrices, convolution and SSM
  std::uint64_t macs_per_sample_worst = 0;  // when every tier steps
  int stride = 1;                           // samples per step of the innermost tier
  std::uint64_t state_bytes = 0;            // one stream, float32
  std::uint64_t file_bytes = 0;
};

class Model {
 public:
  // Throws Error; Cancelled when `progress` says so. Reads the whole file into memory, where it
  // stays, and checks header, shapes and weights: about 1 GB/s.
  static std::shared_ptr<const Model> load(const std::filesystem::path& path,
                                           const LoadOptions& options = {},
                                           const LoadProgress& progress = {});

  const Config& config() const { return config_; }
  const NetworkView& network() const { return network_; }
  const std::filesystem::path& path() const { return path_; }
  const ModelStats& stats() const { return stats_; }
  // SHA-256 of the weights' file, hex; 1 GB/s on the first call (thread-safe).
  const std::string& hash() const;

 private:
  Model() = default;
  std::filesystem::path path_;
  TensorFile file_;
  Config config_;
  NetworkView network_;
  ModelStats stats_;
  struct HashOnce;
  std::shared_ptr<HashOnce> hash_;
};

}  // namespace mambo
