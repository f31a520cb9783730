#include "app/gui/commands.h"

#include <cstdlib>
#include <ctime>
#include <system_error>

#include "app/files/paths.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

std::string full(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return path.string();
  // One file, one name, whether it was called "a", "./a" or, a folder, "a/".
  const fs::path plain = absolute.lexically_normal();
  return (plain.has_filename() ? plain : plain.parent_path()).string();
}

}  // namespace

bool looks_like_model(const fs::path& path) {
  std::error_code error;
  return path.extension() == ".safetensors" || fs::is_directory(path, error);
}

void open_model(Session& session, Settings& settings, const fs::path& path,
                const LoadOptions& load) {
  const bool seed_is_shipped =
      !settings.clip.empty() && settings.clip == full(default_seed_clip(settings.model));
  settings.model = full(path);
  remember(settings.recent_models, settings.model);
  ControlChoice last;
  if (settings.sampling_of == settings.model) last.say(session.sampling());
  session.open_model(path, load, {}, last);
  if (!seed_is_shipped) return;
  const fs::path own = default_seed_clip(path);
  if (full(own) != settings.clip) open_clip(session, settings, own);
}

void adopt_sampling(Session& session, Settings& settings, const fs::path& model,
                    const SamplingParams& own, const ControlChoice& said) {
  const std::string path = full(model);
  ControlChoice last;
  ControlChoice of_model;
  if (settings.sampling_of == path) last.say(settings.sampling);
  of_model.say(own);
  settings.sampling_of = path;
  settings.sampling = resolve_sampling(said, last, of_model);
  session.set_sampling(settings.sampling);
}

void open_clip(Session& session, Settings& settings, const fs::path& path) {
  if (path.empty()) {
    settings.clip.clear();
    session.clear_clip();
    return;
  }
  settings.clip = full(path);
  remember(settings.recent_clips, settings.clip);
  session.open_clip(path);
}

void drop(Session& session, Settings& settings, const std::vector<fs::path>& paths) {
  bool model = false;
  bool clip = false;
  for (const fs::path& p : paths) {
    const bool is_model = looks_like_model(p);
    bool& taken = is_model ? model : clip;
    if (taken) continue;
    taken = true;
    if (is_model) {
      open_model(session, settings, p);
    } else {
      open_clip(session, settings, p);
    }
  }
}

fs::path recordings_dir() {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  std::error_code error;
  if (home != nullptr && fs::is_directory(fs::path(home) / "Music", error)) {
    return fs::path(home) / "Music";
  }
  return fs::current_path(error) / "out";
}

void toggle_record(Session& session, bool recording) {
  if (recording) return session.stop_recording();
  std::error_code error;
  const fs::path dir = recordings_dir();
  fs::create_directories(dir, error);  // the session says it when nothing can be written there
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  const Words name("mambo-{:04}{:02}{:02}-{:02}{:02}{:02}.wav", local.tm_year + 1900,
                   local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  session.start_recording(dir / name.c_str());
}

}  // namespace mambo::gui
