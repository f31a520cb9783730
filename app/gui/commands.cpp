#include "app/gui/commands.h"

#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

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

void remember_clip(Settings& settings, const fs::path& path) {
  settings.clip = path.empty() ? std::string() : full(path);
  if (!path.empty()) remember(settings.recent_clips, settings.clip);
}

}  // namespace

bool looks_like_model(const fs::path& path) {
  std::error_code error;
  return path.extension() == ".safetensors" || fs::is_directory(path, error);
}

void remember_controls(const Session& session, Settings& settings) {
  if (session.model() == nullptr) return;
  for (const ControlSpec& spec : kControlTable) {
    if (is_remembered(spec)) settings.controls[spec.id] = session.control(spec.id);
  }
}

void remember_what_plays(const Session& session, Settings& settings) {
  remember_controls(session, settings);
  if (const auto model = session.model()) settings.model = full(model->path());
}

fs::path clip_for(const Settings& settings, const fs::path& model) {
  const bool shipped =
      !settings.clip.empty() && settings.clip == full(default_seed_clip(settings.model));
  return shipped ? default_seed_clip(model) : fs::path(settings.clip);
}

void open_model(Session& session, Settings& settings, const fs::path& path, const LoadOptions& load,
                const ControlChoice& command_line, std::optional<fs::path> clip) {
  if (!clip) {
    clip = clip_for(settings, path);
    if (*clip == settings.clip) clip.reset();
  }
  if (clip) remember_clip(settings, *clip);
  remember_controls(session, settings);
  const auto playing = session.model();
  const std::string before = playing ? full(playing->path()) : settings.model;
  settings.model = full(path);
  remember(settings.recent_models, settings.model);
  ControlChoice last;
  for (const ControlSpec& spec : kControlTable) {
    if (!models_own(spec.id)) continue;
    if (settings.model != before) settings.controls[spec.id].reset();
    last[spec.id] = settings.controls[spec.id];
  }
  session.open_model(path, load, command_line, last, clip);
}

void open_clip(Session& session, Settings& settings, const fs::path& path) {
  remember_clip(settings, path);
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

void toggle_audition(Session& session, bool auditioning, const fs::path& clip, Session::Part part) {
  if (auditioning && session.auditioned() == clip) return session.stop_audition();
  session.audition(clip, part);
}

fs::path recordings_dir() {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing calls setenv
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
