// What the keyboard, the buttons and dropped files have in common.
#include <cstdlib>
#include <ctime>
#include <system_error>

#include "app/gui/context.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

std::string full(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return error ? path.string() : absolute.string();
}

}  // namespace

bool looks_like_model(const fs::path& path) {
  std::error_code error;
  return path.extension() == ".safetensors" || fs::is_directory(path, error);
}

void open_path(Context& c, const fs::path& path) {
  if (looks_like_model(path)) {
    open_model(c, path);
  } else {
    open_clip(c, path);
  }
}

void open_model(Context& c, const fs::path& path) {
  c.settings.model = full(path);
  remember(c.settings.recent_models, c.settings.model);
  c.session.open_model(path);
}

void open_clip(Context& c, const fs::path& path) {
  if (path.empty()) {
    c.settings.clip.clear();
    c.session.clear_clip();
    return;
  }
  c.settings.clip = full(path);
  remember(c.settings.recent_clips, c.settings.clip);
  c.session.open_clip(path);
}

void toggle_play(Context& c) {
  if (c.status.playing) {
    c.session.pause();
  } else {
    c.session.play();
    c.timeline.follow();
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

void toggle_record(Context& c) {
  if (c.status.recording) return c.session.stop_recording();
  std::error_code error;
  const fs::path dir = recordings_dir();
  fs::create_directories(dir, error);  // the session says it when nothing can be written there
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  const Words name("mambo-{:04}{:02}{:02}-{:02}{:02}{:02}.wav", local.tm_year + 1900,
                   local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  c.session.start_recording(dir / name.c_str());
}

}  // namespace mambo::gui
