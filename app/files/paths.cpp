#include "app/files/paths.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
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

bool is_folder(const fs::path& p) {
  std::error_code error;
  return !p.empty() && fs::is_directory(p, error);
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
  fs::path base = from_environment("XDG_CONFIG_HOME");
  if (base.empty() || !base.is_absolute()) {  // the specification says to ignore relative ones
    const fs::path home = from_environment("HOME");
    base = home.empty() ? fs::temp_directory_path() : home / ".config";
  }
  fs::path dir = base / "mambo";
  std::error_code error;
  fs::create_directories(dir, error);  // the writer reports the error
  return dir;
}

fs::path default_model() { return assets_dir() / "models" / "piano.safetensors"; }

fs::path default_seed_clip(const fs::path& model) {
  std::error_code error;
  std::vector<fs::path> clips;
  for (const auto& entry : fs::directory_iterator(assets_dir() / "seeds", error)) {
    if (entry.path().extension() == ".wav") clips.push_back(entry.path());
  }
  if (clips.empty()) return {};
  std::sort(clips.begin(), clips.end());
  const std::string name = model.stem().string();
  if (!name.empty() && name != default_model().stem()) {
    const std::string one = name.back() == 's' ? name.substr(0, name.size() - 1) : name;
    std::vector<fs::path> own;
    std::copy_if(clips.begin(), clips.end(), std::back_inserter(own), [&](const fs::path& p) {
      const std::string clip = p.filename().string();
      return clip.starts_with(name + "-") || clip.starts_with(one + "-");
    });
    if (!own.empty()) clips = std::move(own);
  }
  // The best clips for the shipped models, piano first: it stands in for a model without its own.
  for (const char* best : {"satie-gymnopedie.wav", "drums-house.wav"}) {
    const auto it = std::find_if(clips.begin(), clips.end(),
                                 [&](const fs::path& p) { return p.filename() == best; });
    if (it != clips.end()) return *it;
  }
  return clips.front();
}

}  // namespace mambo
