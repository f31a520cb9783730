// The window's settings. Whatever the file holds, what was read can be written, and comes back the
// same.
#include "app/gui/settings.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "tests/fuzz/targets/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mambo::fuzz::ScratchFile file("settings.json");
  std::string complaint;
  const mambo::gui::Settings read = mambo::gui::load_settings(file.write(data, size), complaint);
  if (!complaint.empty()) return 0;
  static const mambo::fuzz::ScratchFile copy("copy.json");
  const auto& path = copy.write(nullptr, 0);
  mambo::gui::save_settings(path, read);
  if (mambo::gui::load_settings(path, complaint) != read) std::abort();
  return 0;
}
