// A job list, and the names that it asks for.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/offline/job_list.h"
#include "app/offline/output_name.h"
#include "kernels/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    mambo::NameFields fields;
    fields.clip = fields.model = std::string(text.substr(0, 20));
    for (const mambo::Job& job : mambo::parse_job_list(text, "fuzz")) {
      for (const auto& [key, value] : job.values) {
        if (value.find('\0') != std::string::npos) std::abort();
        mambo::must_stay_below(value);
        mambo::fill_in(value, fields);
      }
    }
  } catch (const mambo::Error&) {  // the expected outcome for damaged input
  }
  return 0;
}
