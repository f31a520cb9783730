// What the header of a sound file says, held against the file.
#pragma once

#include <filesystem>
#include <string>

namespace mambo {

// WAV and AIFF files: libsndfile believes the length in the header, and what follows it is lost
// without a word when a recorder was stopped before it wrote the length, or when a file of more
// than 4 GB wrapped it around. Returns the end of a sentence that says so, or empty: nothing is
// lost, or it is no such file. Throws Error when the file cannot be read.
std::string sound_beyond_header(const std::filesystem::path& path);

}  // namespace mambo
