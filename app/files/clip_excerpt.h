// A look at a sound file and a listen to it, without reading all of it. Not for the audio thread.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace mambo {

struct SoundFacts {
  double seconds = 0;  // as the header says
  int rate = 0;        // Hz
  int channels = 0;
};
// Reads the header. Nothing: it is no sound file, or cannot be read.
std::optional<SoundFacts> sound_facts(const std::filesystem::path& path);

// At most the last `most_s` seconds, or the first, as load_clip makes samples of them: mono, at
// `rate`. Cost: those seconds. Throws Error as load_clip does.
std::vector<float> load_excerpt(const std::filesystem::path& path, int rate, double most_s,
                                bool from_end);

}  // namespace mambo
