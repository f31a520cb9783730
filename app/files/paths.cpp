#include "app/files/paths.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace mambo {
namespace {

namespace fs = std::filesystem;

fs::path from_environment(const char* name) {
  const char* value =
      std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here calls setenv
  return value != nullptr ? fs::path(value) : fs::path();
}

fs::path executable_dir() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path();
}

fs::path xdg_config_home() {
  fs::path base = from_environment("XDG_CONFIG_HOME");
  if (base.is_absolute()) return base;  // the specification says to ignore relative ones
  const fs::path home = from_environment("HOME");
  return home.empty() ? fs::temp_directory_path() : home / ".config";
}

// The value of a line of user-dirs.dirs, NAME="$HOME/..." or NAME="/...", with a shell's escapes;
// empty when it is another line or form.
fs::path user_dir_of(const std::string& line, const std::string& name) {
  const std::size_t begin = line.find_first_not_of(" \t");
  const std::string start = name + "=\"";
  if (begin == std::string::npos || line.compare(begin, start.size(), start) != 0) return {};
  std::string value;
  bool ends = false;
  for (std::size_t i = begin + start.size(); i < line.size() && !ends; ++i) {
    ends = line[i] == '"';
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    if (!ends) value += line[i];
  }
  if (!ends) return {};
  if (value.starts_with('/')) return value;
  const fs::path home = from_environment("HOME");
  // "$HOME/" alone: the user wants none.
  if (home.empty() || !value.starts_with("$HOME/") || value.size() == 6) return {};
  return home / value.substr(6);
}

bool is_folder(const fs::path& p) {
  std::error_code error;
  return !p.empty() && fs::is_directory(p, error);
}

// Sorted.
std::vector<fs::path> files_of(const fs::path& folder, const char* extension) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    if (it->path().extension() == extension) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Whether the clip's name begins with the model's: "drums-house" or "drum-house" of drums.
bool is_own(const fs::path& clip, const std::string& model) {
  if (model.empty() || model == default_model().stem()) return false;
  const std::string one = model.back() == 's' ? model.substr(0, model.size() - 1) : model;
  const std::string name = clip.filename().string();
  return name.starts_with(model + "-") || name.starts_with(one + "-");
}

}  // namespace

fs::path assets_dir() {
  fs::path named = from_environment("MAMBO_ASSETS");
  if (!named.empty()) return named;  // asked for: an error about it should name it
  const fs::path self = executable_dir();
  const std::vector<fs::path> places = {self.parent_path() / "share" / "mambo" / "assets",
                                        self / "assets", self.parent_path() / "assets"};
  for (const fs::path& place : places) {
    if (is_folder(place)) return place;
  }
  return places.front();
}

fs::path config_dir() {
  fs::path dir = xdg_config_home() / "mambo";
  std::error_code error;
  fs::create_directories(dir, error);  // the writer reports the error
  return dir;
}

fs::path music_dir() {
  std::ifstream file(xdg_config_home() / "user-dirs.dirs");
  fs::path named;
  for (std::string line; std::getline(file, line);) {  // as in a shell, the last one counts
    if (fs::path p = user_dir_of(line, "XDG_MUSIC_DIR"); !p.empty()) named = std::move(p);
  }
  if (!named.empty()) return named;
  const fs::path home = from_environment("HOME");
  return !home.empty() && is_folder(home / "Music") ? home / "Music" : fs::path();
}

fs::path recordings_dir() {
  std::error_code error;
  fs::path music = music_dir();
  return music.empty() ? fs::current_path(error) / "out" : music;
}

fs::path default_model() { return assets_dir() / "models" / "piano.safetensors"; }

fs::path default_seed_clip(const fs::path& model) {
  std::vector<fs::path> clips = files_of(assets_dir() / "seeds", ".wav");
  if (clips.empty()) return {};
  const std::string name = model.stem().string();
  std::vector<fs::path> own;
  std::copy_if(clips.begin(), clips.end(), std::back_inserter(own),
               [&](const fs::path& p) { return is_own(p, name); });
  if (!own.empty()) clips = std::move(own);
  // The best clips for the shipped models, piano first: it stands in for a model without its own.
  for (const char* best : {"satie-gymnopedie.wav", "drums-house.wav"}) {
    const auto it = std::find_if(clips.begin(), clips.end(),
                                 [&](const fs::path& p) { return p.filename() == best; });
    if (it != clips.end()) return *it;
  }
  return clips.front();
}

std::string family_of_seed_clip(const fs::path& clip) {
  const std::vector<fs::path> clips = files_of(assets_dir() / "seeds", ".wav");
  std::error_code error;
  const bool shipped = std::any_of(clips.begin(), clips.end(), [&](const fs::path& p) {
    return p.filename() == clip.filename() && fs::equivalent(p, clip, error);
  });
  if (!shipped) return {};
  for (const fs::path& model : files_of(assets_dir() / "models", ".safetensors")) {
    if (is_own(clip, model.stem().string())) return model.stem().string();
  }
  return default_model().stem().string();
}

std::string family_of_model(const fs::path& model) {
  const std::string name = model.stem().string();
  const std::vector<fs::path> clips = files_of(assets_dir() / "seeds", ".wav");
  const bool has_own =
      std::any_of(clips.begin(), clips.end(), [&](const fs::path& p) { return is_own(p, name); });
  return has_own ? name : default_model().stem().string();
}

}  // namespace mambo
