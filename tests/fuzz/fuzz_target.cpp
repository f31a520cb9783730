// libFuzzer's entry: build with -DMAMBO_FUZZ=ON and clang, then run
//   tests/fuzz/fuzz_load -max_total_time=600 corpus/
#include <cstdint>
#include <span>

#include "tests/fuzz/fuzz_load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  mambo::fuzz::load(bytes);
  mambo::fuzz::parse_configs(bytes);
  return 0;
}
