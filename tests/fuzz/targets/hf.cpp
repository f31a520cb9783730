// A folder of transformers: config.json, a zero byte, model.safetensors.
#include <cstdint>
#include <span>

#include "tests/fuzz/fuzz_load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  mambo::fuzz::parse_configs(bytes);
  mambo::fuzz::load_ecosystem(bytes);
  return 0;
}
