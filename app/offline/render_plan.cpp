#include "app/offline/render_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <system_error>

#include "app/usage_error.h"
#include "model/output_file.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

std::optional<FileFormat> format_of(const fs::path& path) {
  std::string ext = path.extension().string();
  std::transform(ext.begin(), ext.end(), ext.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const FileFormat f : {FileFormat::wav, FileFormat::flac, FileFormat::ogg}) {
    if (ext == fmt::format(".{}", file_format_extension(f))) return f;
  }
  return std::nullopt;
}

struct Name {
  fs::path folder;
  std::string stem, extension;
  FileFormat format = FileFormat::wav;

  fs::path file(const std::string& suffix) const {
    return folder / fmt::format("{}{}{}", stem, suffix, extension);
  }
};

Name choose_name(const Recipe& base, const OutputChoice& choice) {
  Name name;
  const std::optional<FileFormat> by_extension = format_of(choice.path);
  std::error_code error;
  const fs::file_status there = fs::status(choice.path, error);
  if (fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there)) {
    throw UsageError(fmt::format("-o: expected a file or folder, found a device or pipe: {}",
                                 choice.path.string()));
  }
  const bool folder =
      choice.path.empty() || choice.path.filename().empty() || fs::is_directory(choice.path, error);
  if (by_extension && !folder) {
    if (choice.format && *choice.format != *by_extension) {
      throw UsageError(fmt::format("--format {} and the name {} contradict each other",
                                   file_format_extension(*choice.format), choice.path.string()));
    }
    name.format = *by_extension;
    name.folder = choice.path.parent_path();
    name.stem = choice.path.stem().string();
    name.extension = choice.path.extension().string();
    return name;
  }
  if (!folder && choice.path.has_extension()) {
    throw UsageError(
        fmt::format("-o: expected a folder or a name that ends in .wav, .flac or .ogg, found {}",
                    choice.path.string()));
  }
  name.format = choice.format.value_or(FileFormat::wav);
  name.extension = fmt::format(".{}", file_format_extension(name.format));
  name.folder = choice.path.empty() ? fs::path("out") : choice.path;
  name.stem = base.clip_path.empty() ? "from-silence"
                                     : fmt::format("{}-continued", base.clip_path.stem().string());
  return name;
}

}  // namespace

std::vector<Take> plan_takes(const Recipe& base, const OutputChoice& choice) {
  const Name name = choose_name(base, choice);
  const bool has_seed = !base.clip_path.empty();
  if (choice.with_seed && !has_seed) throw UsageError("--with-seed needs a seed clip");
  std::vector<Take> takes;
  Take seed;
  seed.recipe = base;
  seed.recipe.format = name.format;
  Take take = seed;
  if (choice.stems && has_seed) {
    seed.files = {{name.file("-seed"), Part::seed}};
    seed.draws = false;
    takes.push_back(seed);
  }
  for (int i = 0; i < choice.count; ++i) {
    take.recipe.rng_seed = base.rng_seed + static_cast<std::uint64_t>(i);
    const std::string number =
        choice.count > 1 || choice.numbered ? fmt::format("-{:03}", i) : std::string();
    if (choice.stems) {
      take.files = {{name.file(number + "-continuation"), Part::continuation}};
      if (has_seed) take.files.push_back({name.file(number + "-joined"), Part::joined});
    } else {
      take.files = {{name.file(number), choice.with_seed ? Part::joined : Part::continuation}};
    }
    takes.push_back(take);
  }
  return takes;
}

Existing look_at(const fs::path& audio, const Recipe& wanted) {
  std::error_code error;
  if (!fs::exists(audio, error) || fs::file_size(audio, error) == 0) return Existing::none;
  try {
    const Recipe found = read_recipe(recipe_path(audio));
    const bool untouched = found.file == audio.filename().string() &&
                           found.file_sha256 == sha256_hex(map_file(audio).bytes);
    if (!untouched) return Existing::foreign;
    return same_sound(found, wanted) && !found.interrupted ? Existing::finished : Existing::ours;
  } catch (const Error&) {
    return Existing::foreign;
  }
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

std::vector<fs::path> skip_finished(std::vector<Take>& takes, bool force) {
  for (const Take& take : takes) {
    for (const Take::File& file : take.files) {  // no input, no device, whatever is forced
      output_place(file.path, Replace::any());
      output_place(recipe_path(file.path), Replace::any());
    }
  }
  std::vector<fs::path> skipped;
  if (force) return skipped;
  std::vector<Take> left;
  for (Take& take : takes) {
    bool finished = true;
    for (const Take::File& file : take.files) {
      Recipe wanted = take.recipe;
      wanted.part = file.part;
      const Existing there = look_at(file.path, wanted);
      if (there == Existing::foreign) {
        throw Error(
            fmt::format("{} is there and was not left so by mambo render: choose another -o, or "
                        "--force to replace it",
                        file.path.string()));
      }
      const auto other = there == Existing::none ? whose_recipe(file.path) : std::nullopt;
      if (other) {
        throw Error(fmt::format(
            "{}, where the recipe of {} would be kept, is {}: choose another -o, "
            "or --force to replace it",
            recipe_path(file.path).string(), file.path.filename().string(),
            other->empty() ? "there and is no recipe" : "that of " + other->filename().string()));
      }
      finished = finished && there == Existing::finished;
    }
    if (finished) {
      for (const Take::File& file : take.files) skipped.push_back(file.path);
    } else {
      left.push_back(std::move(take));
    }
  }
  takes = std::move(left);
  return skipped;
}

}  // namespace mambo
