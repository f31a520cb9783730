#include "app/gui/commands.h"

#include <ctime>
#include <system_error>
#include <utility>

#include "app/files/free_name.h"
#include "app/files/paths.h"
#include "app/files/text_file.h"
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

// What a name may become part of a file's name: no folders, no control characters, no spaces; at
// most 60 bytes, none of them half a character.
std::string part_of_name(const std::string& words) {
  constexpr std::size_t most = 60;
  std::string out;
  for (const char c : words) {
    const bool plain = static_cast<unsigned char>(c) > ' ' && c != '/' && c != '\x7F';
    out += plain ? c : '-';
  }
  if (out.size() > most) {
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) --end;  // UTF-8
    out.resize(end);
  }
  // Neither hidden, nor a folder above, nor an option.
  if (out.starts_with('.') || out.starts_with('-')) out.front() = '_';
  return out.empty() ? "mambo" : out;
}

std::string when(const std::tm& time) {
  return Words("{:04}-{:02}-{:02}-{:02}{:02}{:02}", time.tm_year + 1900, time.tm_mon + 1,
               time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec)
      .c_str();
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
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
  const std::string family = family_of_seed_clip(settings.clip);
  const bool of_the_model_before = !family.empty() && family == family_of_model(settings.model);
  return of_the_model_before && family != family_of_model(model) ? default_seed_clip(model)
                                                                 : fs::path(settings.clip);
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
  std::optional<int> layer;
  if (settings.model != before) layer = kFavouriteLayer;  // a number means another one there
  session.open_model(path, load, command_line, last, clip, layer);
}

void open_clip(Session& session, Settings& settings, const fs::path& path) {
  remember_clip(settings, path);
  session.open_clip(path);
}

void drop(Session& session, Settings& settings, const std::vector<fs::path>& paths) {
  std::optional<fs::path> model;
  std::optional<fs::path> clip;
  for (const fs::path& p : paths) {
    std::optional<fs::path>& taken = looks_like_model(p) ? model : clip;
    if (!taken) taken = p;
  }
  if (model) {
    open_model(session, settings, *model, {}, {}, clip);
  } else if (clip) {
    open_clip(session, settings, *clip);
  }
}

void toggle_audition(Session& session, bool auditioning, const fs::path& clip, Session::Part part) {
  if (auditioning && session.auditioned() == clip) return session.stop_audition();
  session.audition(clip, part);
}

std::string recording_name(const std::string& model, const fs::path& clip, const std::tm& time) {
  const std::string clip_words = clip.empty() ? "silence" : part_of_name(clip.stem().string());
  return part_of_name(model) + "-" + clip_words + "-" + when(time) + ".wav";
}

void keep_heard(Session& session) {
  session.keep_heard(recordings_dir() / ("heard-" + when(local_time()) + ".wav"));
}

fs::path save_beside_recordings(const std::string& model, const fs::path& clip,
                                const std::string& ending, std::string_view text) {
  fs::path wanted = recordings_dir() / recording_name(model, clip, local_time());
  fs::path path = reserve_free_name(wanted.replace_extension(ending));
  try {
    write_text_file(path, text, Replace::nothing());  // nor what came in its place
  } catch (...) {
    std::error_code error;
    if (fs::file_size(path, error) == 0) fs::remove(path, error);
    throw;
  }
  return path;
}

void toggle_record(Session& session, bool recording) {
  if (recording) return session.stop_recording();
  std::error_code error;
  const fs::path dir = recordings_dir();
  fs::create_directories(dir, error);  // the session says it when nothing can be written there
  const auto model = session.model();
  const std::string name = !model                         ? std::string("mambo")
                           : model->config().name.empty() ? model->path().stem().string()
                                                          : model->config().name;
  session.start_recording(dir / recording_name(name, session.clip_path(), local_time()));
}

}  // namespace mambo::gui
