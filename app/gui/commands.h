// What the buttons, the keyboard and dropped files have in common. None of these blocks or throws:
// what is wrong with a file comes through the session's status.
#pragma once

#include <filesystem>
#include <vector>

#include "app/control/control.h"
#include "app/gui/settings.h"
#include "app/live/session.h"

namespace mambo::gui {

// What a file is by its name: a folder or a .safetensors file is a model, anything else a clip.
bool looks_like_model(const std::filesystem::path& path);

// Open and remember. Where the seed was the shipped one for the model before, the shipped one for
// this model takes its place: piano does not ask drums to go on from Satie.
void open_model(Session& session, Settings& settings, const std::filesystem::path& path,
                const LoadOptions& load = {});
// Another model than the one that the sampling was set for brings its own, or the network's plain
// one; the same keeps what it was left with. What was `said` on the command line goes before both.
// `own`: what its file says.
void adopt_sampling(Session& session, Settings& settings, const std::filesystem::path& model,
                    const SamplingParams& own, const ControlChoice& said = {});

void open_clip(Session& session, Settings& settings,
               const std::filesystem::path& path);  // empty: from silence
// Files dropped onto the window: the first model and the first clip among them.
void drop(Session& session, Settings& settings, const std::vector<std::filesystem::path>& paths);

// Starts recording into a new file in the folder for recordings, or stops.
void toggle_record(Session& session, bool recording);
std::filesystem::path recordings_dir();  // ~/Music, or out/ where there is none

}  // namespace mambo::gui
