#include "model/model.h"

#include <mutex>
#include <string_view>
#include <utility>

#include "kernels/error.h"
#include "model/network_builder.h"
#include "model/platform_file.h"
#include "model/sha256.h"
#include "model/stats.h"

namespace mambo {
namespace fs = std::filesystem;
namespace {

constexpr const char* config_file = "config.json";
constexpr const char* weights_file = "model.safetensors";

bool is_there(const fs::path& p) {
  std::error_code ignored;
  return fs::exists(p, ignored);
}

// The folder that `path` means: itself, or the one that its config.json or weights lie in.
fs::path folder_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// "rooms/piano/" -> "piano", "." -> the name of the present folder.
std::string folder_name(const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(folder, ignored);
  return whole.filename().string();
}

void check_configuration(const fs::path& folder) {
  if (!is_there(folder / config_file)) {
    throw Error(folder.string() +
                ": expected a folder with config.json and model.safetensors, found no config.json");
  }
}

void check_weights(const fs::path& folder) {
  if (is_there(folder / weights_file)) return;
  if (is_there(folder / "model.safetensors.index.json")) {
    throw Error(folder.string() +
                ": expected one model.safetensors, found weights split over several files: save "
                "them again with a larger max_shard_size");
  }
  throw Error(folder.string() +
              ": expected a folder with config.json and model.safetensors, found no "
              "model.safetensors" +
              (is_there(folder / "pytorch_model.bin")
                   ? " but pytorch_model.bin: save it again with safe_serialization"
                   : ""));
}

constexpr std::uint64_t most_configuration = 1U << 20U;  // bytes

void apply(const LoadOptions& options, Config& config) {
  if (options.sample_rate) {
    if (*options.sample_rate < kLowestRate || *options.sample_rate > kHighestRate) {
      throw Error("sample_rate: expected from " + std::to_string(kLowestRate) + " to " +
                  std::to_string(kHighestRate) + " Hz, found " +
                  std::to_string(*options.sample_rate));
    }
    config.sample_rate = *options.sample_rate;
  }
  if (options.encoding) config.encoding = *options.encoding;
}

}  // namespace

struct Model::HashOnce {
  std::once_flag once;
  std::string hex;
};

std::shared_ptr<const Model> Model::load(const fs::path& path, const LoadOptions& options,
                                         const LoadProgress& progress) {
  if (const std::string why = why_missing(path); !why.empty()) {
    throw Error(path.string() + ": " + why);
  }
  std::error_code ignored;
  const std::shared_ptr<Model> model(new Model);
  model->path_ = path;
  model->hash_ = std::make_shared<HashOnce>();

  const bool is_folder = fs::is_directory(path, ignored);
  bool ecosystem = is_folder || path.filename() == config_file;
  const fs::path folder = is_folder ? path : folder_of(path);
  if (!ecosystem) {
    note_input(path);
    model->file_ = TensorFile::open(path, progress);
    const auto& metadata = model->file_.metadata();
    if (const auto it = metadata.find("mambo.config"); it != metadata.end()) {
      model->config_ = parse_config(it->second, path.string() + ": mambo.config");
      model->network_ = build_native(model->file_, model->config_);
    } else if (path.filename() == weights_file) {
      ecosystem = true;
    } else {
      throw Error(path.string() +
                  ": expected a model with the metadata key mambo.config, found a safetensors file "
                  "without it");
    }
  }
  if (ecosystem) {
    check_configuration(folder);
    const fs::path config = folder / config_file;
    note_input(config);
    note_input(folder / weights_file);
    const EcosystemConfig parsed = parse_ecosystem_config(
        load_bytes(config, most_configuration).text(), config.string(), folder_name(folder));
    check_weights(
        folder);  // of the right architecture: only now is it worth naming what is missing
    model->file_ = TensorFile::open(folder / weights_file, progress);
    model->config_ = parsed.config;
    model->network_ = build_ecosystem(model->file_, parsed);
  }
  apply(options, model->config_);
  model->stats_ = count_stats(model->network_);
  model->stats_.file_bytes = model->file_.file_bytes();
  return model;
}

const std::string& Model::hash() const {
  std::call_once(hash_->once, [this] { hash_->hex = sha256_hex(file_.all_bytes()); });
  return hash_->hex;
}

}  // namespace mambo
