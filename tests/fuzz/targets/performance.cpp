// A performance file. What was accepted can be written, and comes back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/control/performance.h"
#include "kernels/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const mambo::Performance p = mambo::parse_performance(text, "fuzz");
    if (mambo::parse_performance(mambo::performance_text(p), "fuzz") != p) std::abort();
  } catch (const mambo::Error&) {  // the expected outcome for damaged input
  }
  return 0;
}
