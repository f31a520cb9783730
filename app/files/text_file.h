#pragma once

#include <filesystem>
#include <string_view>

#include "model/output_file.h"

namespace mambo {

// A whole file of text, aside and renamed (model/output_file.h). Throws Error.
void write_text_file(const std::filesystem::path& path, std::string_view text, Replace replace);

}  // namespace mambo
