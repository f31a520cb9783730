// A name that no file has, taken at once.
#pragma once

#include <filesystem>

namespace mambo {

// Makes an empty file under a name that nothing had: `wanted`, or where something lies there, the
// same with "-2", "-3", ... before the extension. So two programs that ask for one name in the same
// moment get two, and so does the hour that daylight saving repeats. Makes the folders that are
// missing. Throws Error.
std::filesystem::path reserve_free_name(const std::filesystem::path& wanted);

}  // namespace mambo
