// Makes libsndfile's Ogg files reproducible.
#pragma once

#include <cstdint>

namespace mambo {

// Gives every page of the Ogg file open at `fd` (read and write) the stream number `serial` and its
// checksum anew. libsndfile numbers streams at random, and the same sound should be the same file.
// Stops at the first thing that is not a page; throws Error when the file cannot be read or
// written.
void set_ogg_serial(int fd, std::uint32_t serial);

}  // namespace mambo
