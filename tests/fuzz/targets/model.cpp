// A model file: its header, its tensors, the network that they make.
#include <cstdint>
#include <span>

#include "tests/fuzz/fuzz_load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mambo::fuzz::load(std::as_bytes(std::span(data, size)));
  return 0;
}
