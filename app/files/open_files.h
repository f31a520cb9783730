// How many files this process may have open.
#pragma once

#include <cstddef>

namespace mambo {

// Raises the limit to `wanted` if it is lower, as far as the system lets an ordinary user. Returns
// how many of those wanted may be open then.
std::size_t allow_open_files(std::size_t wanted);

}  // namespace mambo
