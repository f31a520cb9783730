#include "tests/fuzz/fuzz_load.h"

#include <string>
#include <string_view>

#include "kernels/error.h"
#include "model/network_builder.h"
#include "model/stats.h"

namespace mambo::fuzz {
namespace {

void read_all(const TensorFile& file) {
  for (const auto& [name, entry] : file.tensors()) {
    try {
      to_float(file.get(name, entry.shape));  // reads every byte that the view claims
    } catch (const Error&) {                  // a type that is listed but not decoded
    }
  }
}

bool build(const TensorFile& file, const std::string& config) {
  const Config parsed = parse_config(config, "fuzz");
  const NetworkView net = build_native(file, parsed);
  parse_config(config_json(parsed), "written");
  return count_stats(net).parameters > 0;
}

}  // namespace

bool load(std::span<const std::byte> bytes) {
  try {
    const TensorFile file = TensorFile::parse(bytes, "fuzz");
    read_all(file);
    const auto config = file.metadata().find("mambo.config");
    return config != file.metadata().end() && build(file, config->second);
  } catch (const Error&) {
    return false;
  }
}

void parse_configs(std::span<const std::byte> text) {
  const std::string_view json(reinterpret_cast<const char*>(text.data()), text.size());
  try {
    parse_config(json, "fuzz");
  } catch (const Error&) {  // the expected outcome for damaged input
  }
  try {
    parse_ecosystem_config(json, "fuzz", "fuzz");
  } catch (const Error&) {
  }
}

bool load_ecosystem(std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos) return false;
  try {
    const EcosystemConfig config = parse_ecosystem_config(all.substr(0, end), "fuzz", "fuzz");
    const TensorFile file = TensorFile::parse(bytes.subspan(end + 1), "fuzz");
    return count_stats(build_ecosystem(file, config)).parameters > 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace mambo::fuzz
