// What to do about files that are there already where a rendering wants to write.
#pragma once

#include <filesystem>
#include <vector>

#include "app/offline/render_plan.h"

namespace mambo {

enum class Existing : std::uint8_t {
  none,
  finished,  // this very sound, whole and unchanged: nothing to do
  ours,      // rendered by mambo from another recipe, or interrupted: may be replaced
  foreign,   // anything else: not to be touched
};
Existing look_at(const std::filesystem::path& audio, const Recipe& wanted);

// Throws Error naming a file that is there and was not made by mambo render, unless `force`, and,
// forced or not, where no file may be written (output_place(): inputs, devices, folders). Needs
// only the names in `takes`, so that a whole plan is judged before anything is computed.
void refuse_foreign(const std::vector<Take>& takes, bool force);

// Takes the finished ones out of `takes` and returns their files. Of a contest all takes are
// finished where as many as are kept lie there, chosen among the same.
std::vector<std::filesystem::path> skip_finished(std::vector<Take>& takes);

}  // namespace mambo
