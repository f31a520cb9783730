// A recipe. What was accepted can be written, and comes back the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "app/offline/recipe.h"
#include "kernels/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const mambo::Recipe r = mambo::parse_recipe(text, "fuzz");
    const std::string written = mambo::recipe_json(r);
    if (mambo::recipe_json(mambo::parse_recipe(written, "fuzz")) != written) std::abort();
  } catch (const mambo::Error&) {  // the expected outcome for damaged input
  }
  return 0;
}
