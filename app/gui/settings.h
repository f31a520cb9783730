// The window's settings between sessions: a JSON file in the configuration folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "app/control/choice.h"

namespace mambo::gui {

enum class DeltaColour : std::uint8_t { delta, horizon, change };
enum class ChannelOrder : std::uint8_t { horizon, index };

struct Settings {
  std::string model, clip;                               // paths; empty: never chosen
  std::vector<std::string> recent_models, recent_clips;  // newest first, at most 8
  std::string device;                                    // empty: the default
  // As they were left; what a model may speak of itself (models_own) was set for the model that
  // plays, or, before one does, for `model`.
  ControlChoice controls;
  int layer = -1;  // whose channels are shown; -1: what favourite_layer() says of the model
  DeltaColour layer_colour = DeltaColour::delta;     // of all layers' panel
  DeltaColour channel_colour = DeltaColour::change;  // of the chosen layer's
  ChannelOrder channel_order = ChannelOrder::horizon;
  int colour_map = 0;  // ColourMap
  bool log_frequency = true;
  bool ablation = false;           // its bars are shown in place of the chosen layer's channels
  bool raise_latency = false;      // by itself when there are underruns; else the window offers it
  double span_s = 10;              // of the time axis
  float zoom = 1;                  // of the interface, on top of the monitor's scale
  int width = 1280, height = 800;  // of the window, at least these:
  static constexpr int least_width = 900, least_height = 600;

  bool operator==(const Settings&) const = default;
};

// Whether a control's value is remembered from one session to the next: what has one, but play, and
// what layers have.
constexpr bool is_remembered(const ControlSpec& spec) {
  return !spec.happens() && spec.id != ControlId::playing && !spec.has_targets();
}
// Whether a model's file may have a value of its own for this control.
bool models_own(ControlId id);

std::filesystem::path settings_path();  // in config_dir()

// Reads the file, or one written before there was a table of controls; what is missing keeps its
// default and what is out of range is brought into it.
// A file that is not JSON, or has a value of the wrong kind, gives the defaults and one sentence in
// `complaint`; a file that is not there is no reason to complain. Never throws.
Settings load_settings(const std::filesystem::path& path, std::string& complaint);

// Written aside and renamed, under a lock that the windows share. What is as in `before` is left as
// the file has it by now: another window may have changed it. Without `before` all is written. A
// file that is not one of settings is put aside as PATH.unreadable. Throws Error when it cannot be
// written.
void save_settings(const std::filesystem::path& path, const Settings& settings,
                   const Settings* before = nullptr);

// Saves what changes while the window is open, a second after the last change, and after ten of
// changing all the time. GUI thread.
class SettingsSaver {
 public:
  // settings: as they are in the file.
  SettingsSaver(std::filesystem::path path, Settings settings)
      : path_(std::move(path)), saved_(settings), seen_(std::move(settings)) {}
  // To be called often; `now` in seconds. Throws Error when it cannot write, and tries again at the
  // next change.
  void look(const Settings& settings, double now);
  void save(const Settings& settings);  // at once, if anything changed

 private:
  std::filesystem::path path_;
  Settings saved_, seen_;
  double looked_ = 0, changed_ = 0;  // the first change that is not saved
};

// Moves `path` to the front of a list of recent ones.
void remember(std::vector<std::string>& recent, const std::string& path);

}  // namespace mambo::gui
