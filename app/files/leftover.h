// Recordings that a program left unfinished: it was killed, or the machine stopped. What was
// written until then lies in a hidden file beside the name that it was to have.
#pragma once

#include <filesystem>
#include <vector>

namespace mambo {

struct Leftover {
  std::filesystem::path aside;  // where it lies: ".take.wav.1234-0.part"
  std::filesystem::path name;   // under which it was to be: "take.wav"
  double seconds = 0;           // of sound that can be read; 0: not known before it is read
};

// Those of a folder that no process writes any more, oldest first. Opens each; reads no sound.
// Never throws: what cannot be read is no leftover.
std::vector<Leftover> find_leftovers(const std::filesystem::path& folder);

// Makes it a whole sound file under its name, or under the next free one. Returns that; throws
// Error, and the leftover stays.
std::filesystem::path keep_leftover(const Leftover& leftover);

void delete_leftover(const Leftover& leftover);  // throws Error

}  // namespace mambo
