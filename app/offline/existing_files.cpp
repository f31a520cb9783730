#include "app/offline/existing_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>

#include "app/files/sound_stream.h"
#include "kernels/error.h"
#include "model/output_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

bool untouched(const Recipe& found, const fs::path& audio) {
  return found.file == audio.filename().string() && found.file_sha256 == sha256_file(audio);
}

// The .json beside a file is its recipe. Where one lies already and is not: of which other file
// that is there (take.flac beside take.wav), or empty, if it is no recipe at all. Else nothing.
std::optional<fs::path> whose_recipe(const fs::path& audio) {
  std::error_code error;
  const fs::path place = recipe_path(audio);
  if (!fs::exists(place, error)) return std::nullopt;
  try {
    const fs::path other = audio.parent_path() / read_recipe(place).file;
    if (other == audio || !fs::exists(other, error)) return std::nullopt;
    return other;
  } catch (const Error&) {
    return fs::path();
  }
}

// Whether the file holds this very sound; if so, as which of many it was kept.
bool finished(const Take& take, const Take::File& file, std::optional<Verdict>& verdict) {
  if (is_sound_stream(file.path)) return false;
  std::error_code error;
  if (look_at(file.path, take.recipe_of(file)) != Existing::finished) return false;
  verdict = read_recipe(recipe_path(file.path)).verdict;
  return true;
}

bool all_finished(const Take& take, std::optional<Verdict>& verdict) {
  return std::all_of(take.files.begin(), take.files.end(),
                     [&](const Take::File& file) { return finished(take, file, verdict); });
}

bool of_contest(const Verdict& v, const Contest& c) {
  return v.kept == c.keep && v.of == c.of && v.first_rng_seed == c.first_rng_seed;
}

}  // namespace

Existing look_at(const fs::path& audio, const Recipe& wanted) {
  std::error_code error;
  if (!fs::exists(audio, error) || fs::file_size(audio, error) == 0) return Existing::none;
  try {
    const Recipe found = read_recipe(recipe_path(audio));
    if (!untouched(found, audio)) return Existing::foreign;
    return same_sound(found, wanted) && !found.interrupted ? Existing::finished : Existing::ours;
  } catch (const Error&) {
    return Existing::foreign;
  }
}

void refuse_foreign(const std::vector<Take>& takes, bool force) {
  for (const Take& take : takes) {
    for (const Take::File& file : take.files) {
      if (is_sound_stream(file.path)) {
        expect_sound_stream(file.path);
        continue;
      }
      output_place(file.path, Replace::any());
      output_place(recipe_path(file.path), Replace::any());
      if (force) continue;
      const Existing there = look_at(file.path, take.recipe_of(file));
      if (there == Existing::foreign) {
        throw Error(
            fmt::format("{} is there and was not left so by mambo render: choose another -o, or "
                        "--force to replace it",
                        file.path.string()));
      }
      const auto other = there == Existing::none ? whose_recipe(file.path) : std::nullopt;
      if (!other) continue;
      throw Error(fmt::format(
          "{}, where the recipe of {} would be kept, is {}: choose another -o, "
          "or --force to replace it",
          recipe_path(file.path).string(), file.path.filename().string(),
          other->empty() ? "there and is no recipe" : "that of " + other->filename().string()));
    }
  }
}

std::vector<fs::path> skip_finished(std::vector<Take>& takes) {
  std::vector<bool> done(takes.size());
  std::map<const Contest*, int> kept;  // of each contest, those that lie there
  for (std::size_t i = 0; i < takes.size(); ++i) {
    const Take& take = takes[i];
    std::optional<Verdict> verdict;
    done[i] = all_finished(take, verdict);
    if (take.contest == nullptr) continue;
    done[i] = done[i] && verdict && of_contest(*verdict, *take.contest);
    if (done[i]) ++kept[take.contest.get()];
  }
  std::vector<fs::path> skipped;
  std::vector<Take> left;
  for (std::size_t i = 0; i < takes.size(); ++i) {
    const Contest* contest = takes[i].contest.get();
    const bool decided = contest != nullptr && kept[contest] >= contest->keep;
    if (done[i] && (contest == nullptr || decided)) {
      for (const Take::File& file : takes[i].files) skipped.push_back(file.path);
    } else if (!decided) {
      left.push_back(std::move(takes[i]));
    }
  }
  takes = std::move(left);
  return skipped;
}

}  // namespace mambo
