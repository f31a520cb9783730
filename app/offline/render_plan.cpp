#include "app/offline/render_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <system_error>

#include "app/files/sound_stream.h"
#include "app/files/standard_input.h"
#include "app/offline/output_name.h"
#include "app/usage_error.h"

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

// With fields.
struct Name {
  std::string folder, stem, extension;
  FileFormat format = FileFormat::wav;

  fs::path file(const NameFields& fields, const std::string& suffix) const {
    return fs::path(fill_in(folder, fields)) / (fill_in(stem, fields) + suffix + extension);
  }
  bool tells_takes_apart() const {
    const std::string all = folder + stem;
    return has_field(all, "n") || has_field(all, "random_seed");
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
  if (choice.format == FileFormat::raw) {
    throw UsageError("--format raw is for a pipe or standard output (-o -)");
  }
  const bool folder =
      choice.path.empty() || choice.path.filename().empty() || fs::is_directory(choice.path, error);
  if (by_extension && !folder) {
    if (choice.format && *choice.format != *by_extension) {
      throw UsageError(fmt::format("--format {} and the name {} contradict each other",
                                   file_format_extension(*choice.format), choice.path.string()));
    }
    name.format = *by_extension;
    name.folder = choice.path.parent_path().string();
    name.stem = choice.path.stem().string();
    name.extension = choice.path.extension().string();
    return name;
  }
  name.format = choice.format.value_or(FileFormat::wav);
  name.extension = fmt::format(".{}", file_format_extension(name.format));
  const std::string last = choice.path.filename().string();
  if (!folder && has_fields(last)) {  // a name with fields is a file's
    name.folder = choice.path.parent_path().string();
    name.stem = last;
    return name;
  }
  if (!folder && choice.path.has_extension()) {
    throw UsageError(
        fmt::format("-o: expected a folder or a name that ends in .wav, .flac or .ogg, found {}",
                    choice.path.string()));
  }
  name.folder = choice.path.empty() ? "out" : choice.path.string();
  name.stem = base.clip_path.empty() ? "from-silence" : "{clip}-continued";
  return name;
}

NameFields fields_of(const Recipe& base, const OutputChoice& choice) {
  NameFields fields;
  fields.clip = base.clip_path.empty() ? "silence" : base.clip_path.stem().string();
  if (is_standard_input(base.clip_path)) fields.clip = "standard-input";
  fields.folder = base.clip_path.parent_path().filename().string();
  const bool a_folder = base.model_path.filename().empty();  // "models/mine/"
  fields.model = (a_folder ? base.model_path.parent_path() : base.model_path).stem().string();
  fields.job = choice.job;
  return fields;
}

// A stem goes on where the clip ends, and a clip from its own beginning has none that was cut.
double default_fade_in(const Recipe& base, const OutputChoice& choice, Part part) {
  if (part == Part::joined) return base.clip_from_s > 0 ? cut_fade_ms : 0;
  return choice.stems ? 0 : cut_fade_ms;
}

Take::File file_of(const fs::path& path, Part part, const Recipe& base,
                   const OutputChoice& choice) {
  if (part == Part::seed) return {path, part, 0, 0};  // the clip as the model heard it
  return {path, part, choice.fade_in_ms.value_or(default_fade_in(base, choice, part)),
          choice.fade_out_ms.value_or(cut_fade_ms)};
}

// Of a pipe or standard output, which takes one sound, as it comes.
Take stream_take(const Recipe& base, const OutputChoice& choice) {
  const std::string name = stream_name(choice.path);
  if (choice.count > 1 || choice.numbered || choice.stems) {
    throw UsageError(fmt::format("{} takes one sound: leave out --count and --stems", name));
  }
  if (choice.with_seed && base.clip_path.empty()) throw UsageError("--with-seed needs a seed clip");
  Take take;
  take.recipe = base;
  if (base.finish.stereo) take.recipe.finish.rng_seed_right = base.rng_seed + 1;
  const FileFormat format =
      choice.format.value_or(format_of(choice.path).value_or(FileFormat::wav));
  if (format != FileFormat::wav && format != FileFormat::raw) {
    throw UsageError(fmt::format("{} takes the format wav or raw, found {}", name,
                                 file_format_extension(format)));
  }
  take.recipe.format = format;
  const Part part = choice.with_seed ? Part::joined : Part::continuation;
  take.files = {file_of(choice.path, part, base, choice)};
  return take;
}

}  // namespace

Recipe Take::recipe_of(const File& file) const {
  Recipe r = recipe;
  r.part = file.part;
  r.finish.fade_in_ms = file.fade_in_ms;
  r.finish.fade_out_ms = file.fade_out_ms;
  return r;
}

std::vector<Take> plan_takes(const Recipe& base, const OutputChoice& choice) {
  if (is_sound_stream(choice.path)) return {stream_take(base, choice)};
  const Name name = choose_name(base, choice);
  const bool has_seed = !base.clip_path.empty();
  if (choice.with_seed && !has_seed) throw UsageError("--with-seed needs a seed clip");
  NameFields fields = fields_of(base, choice);
  fields.random_seed = base.rng_seed;
  std::vector<Take> takes;
  Take seed;
  seed.recipe = base;
  seed.recipe.format = name.format;
  Take take = seed;
  if (choice.stems && has_seed) {
    seed.files = {file_of(name.file(fields, "-seed"), Part::seed, base, choice)};
    seed.draws = false;
    takes.push_back(seed);
  }
  if (choice.keep > 0 && choice.keep < choice.count) {
    take.contest =
        std::make_shared<const Contest>(Contest{choice.keep, choice.count, base.rng_seed});
  }
  const bool number = (choice.count > 1 && !name.tells_takes_apart()) || choice.numbered;
  const auto voices = static_cast<std::uint64_t>(base.finish.channels());
  for (int i = 0; i < choice.count; ++i) {
    take.recipe.rng_seed = base.rng_seed + voices * static_cast<std::uint64_t>(i);
    if (base.finish.stereo) take.recipe.finish.rng_seed_right = take.recipe.rng_seed + 1;
    fields.random_seed = take.recipe.rng_seed;
    fields.n = i;
    const std::string suffix = number ? fmt::format("-{:03}", i) : std::string();
    const auto file = [&](const char* what, Part part) {
      return file_of(name.file(fields, suffix + what), part, base, choice);
    };
    if (choice.stems) {
      take.files = {file("-continuation", Part::continuation)};
      if (has_seed) take.files.push_back(file("-joined", Part::joined));
    } else {
      take.files = {file("", choice.with_seed ? Part::joined : Part::continuation)};
    }
    takes.push_back(take);
  }
  return takes;
}

void must_differ(const std::vector<Take>& takes) {
  std::map<fs::path, fs::path> owners;  // of the recipes beside the files
  for (const Take& take : takes) {
    for (const Take::File& file : take.files) {
      const fs::path place = fs::absolute(recipe_path(file.path)).lexically_normal();
      const auto [at, first] = owners.try_emplace(place, file.path);
      if (first) continue;
      throw UsageError(
          fmt::format("two takes would be {} and {}, beside one recipe: -o takes fields that tell "
                      "them apart: {}",
                      at->second.string(), file.path.string(), name_fields));
    }
  }
}

std::vector<Take> share_of(std::vector<Take> takes, int part, int parts) {
  if (parts <= 1) return takes;
  std::vector<std::size_t> unit(takes.size());  // number of the whole that each belongs to
  std::size_t units = 0;
  for (std::size_t i = 0; i < takes.size(); ++i) {
    const bool goes_on =
        i > 0 && takes[i].contest != nullptr && takes[i].contest == takes[i - 1].contest;
    if (!goes_on) ++units;
    unit[i] = units - 1;
  }
  std::vector<Take> share;
  const auto n = static_cast<std::size_t>(parts);
  for (std::size_t i = 0; i < takes.size(); ++i) {
    if (unit[i] * n / units == static_cast<std::size_t>(part - 1)) {
      share.push_back(std::move(takes[i]));
    }
  }
  return share;
}

}  // namespace mambo
