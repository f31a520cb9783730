#pragma once

#include <filesystem>

namespace mambo {

// A clip named - is standard input. Where a clip of this name can be read, as often as liked: what
// comes in is kept, until the program ends, in a file without a name (in $TMPDIR or /tmp, 4 GiB at
// most). Reads to its end the first time; any thread. Another name is returned as it is. Throws
// Error.
std::filesystem::path readable_path(const std::filesystem::path& clip);

bool is_standard_input(const std::filesystem::path& clip);

// The clip's name for messages: "standard input" for -.
std::filesystem::path clip_name(const std::filesystem::path& clip);

}  // namespace mambo
