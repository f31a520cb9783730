// What the buttons, the keyboard and dropped files have in common. None of these blocks or throws:
// what is wrong with a file comes through the session's status.
#pragma once

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/gui/settings.h"
#include "app/live/session.h"

namespace mambo::gui {

// What a file is by its name: a folder or a .safetensors file is a model, anything else a clip.
bool looks_like_model(const std::filesystem::path& path);

// The clip to continue with this model: the one that is open, but where that was shipped for the
// model before and not for this one, the shipped one for this: drums should not continue a piano.
std::filesystem::path clip_for(const Settings& settings, const std::filesystem::path& model);
// Opens and remembers, with `clip`, else with clip_for().
//
// Another model than the one that plays draws as its maker found best, and shows its favourite
// layer; the same one as it was left. What stands in `command_line` goes before both.
void open_model(Session& session, Settings& settings, const std::filesystem::path& path,
                const LoadOptions& load = {}, const ControlChoice& command_line = {},
                std::optional<std::filesystem::path> clip = {});
// Takes over the controls of the model that plays, if one does.
void remember_controls(const Session& session, Settings& settings);
// At the end: model and controls of what plays, so that they belong together.
void remember_what_plays(const Session& session, Settings& settings);

void open_clip(Session& session, Settings& settings,
               const std::filesystem::path& path);  // empty: from silence
// Files dropped onto the window: the first model and the first clip among them, as one request.
void drop(Session& session, Settings& settings, const std::vector<std::filesystem::path>& paths);

// Plays a clip in place of what is drawn, or stops what is heard; if that is another, plays this
// one.
void toggle_audition(Session& session, bool auditioning, const std::filesystem::path& clip,
                     Session::Part part);

// Starts recording into a new file in the folder for recordings, or stops.
void toggle_record(Session& session, bool recording);
// The last minute of the input, as a new file in the folder for recordings.
void keep_heard(Session& session);
// "MODEL-CLIP-2026-11-30-223105.wav", with what a file's name should not have replaced. clip: its
// path; empty: silence. time: local.
std::string recording_name(const std::string& model, const std::filesystem::path& clip,
                           const std::tm& time);
// Writes a text into a new file in the folder for recordings, named as they are but for its ending,
// ".ablation.json"; returns its path. Throws Error.
std::filesystem::path save_beside_recordings(const std::string& model,
                                             const std::filesystem::path& clip,
                                             const std::string& ending, std::string_view text);

}  // namespace mambo::gui
