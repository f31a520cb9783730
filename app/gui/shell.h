// The window's content: owns the panels and what they share, places them, and hears the keyboard.
// Knows Dear ImGui, but no window system and no OpenGL of its own. GUI thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app/gui/context.h"
#include "app/gui/control_history.h"
#include "app/gui/focus.h"
#include "app/gui/keys.h"
#include "app/gui/panels/ablation.h"
#include "app/gui/panels/controls.h"
#include "app/gui/panels/delta_channels.h"
#include "app/gui/panels/delta_layers.h"
#include "app/gui/panels/files.h"
#include "app/gui/panels/leftovers.h"
#include "app/gui/panels/spectrogram.h"
#include "app/gui/panels/waveform.h"
#include "app/gui/status_line.h"
#include "app/gui/window.h"
#include "app/live/latency_keeper.h"

namespace mambo::gui {

class Shell {
 public:
  // Opens model and clip: those of `options`, else of `settings`, else the shipped ones.
  // theme: its focus becomes the shell's.
  Shell(Session& session, Settings& settings, Theme& theme, const GuiOptions& options);

  // One frame into the whole display; fetches what was observed first. seconds since the last one.
  void draw(double seconds);
  // Files dropped onto the window; the first model and the first clip of them are taken.
  void drop(const std::vector<std::filesystem::path>& paths);
  void say(const std::string& words, bool is_error);  // in the status line

  // Whether the picture moves by itself: sound is playing or something is loading.
  bool lively() const;
  float wanted_zoom() const { return settings_.zoom; }
  Keys& keys() { return keys_; }  // what is pressed goes there
  bool wants_full_screen() const { return full_screen_; }
  bool wants_to_close() const { return quit_; }
  const SessionStatus& status() const { return status_; }
  const History& history() const { return history_; }

 private:
  Context context();
  void open_first(const GuiOptions& options);
  void fetch(double seconds);
  void adopt_model();
  void look_after_latency(double seconds);
  void handle_keys(Context& c);
  bool take_window_key(Keys& keys);
  bool take_sound_key(Context& c);
  bool take_panel_key(Keys& keys);
  bool take_undo_key(Keys& keys);
  bool take_focus_key(Keys& keys);
  bool take_key_in_focus(Keys& keys);
  bool take_time_key(Keys& keys);
  void draw_top(Context& c, float right);
  void draw_plots(Context& c, ImVec2 min, ImVec2 max);

  Session& session_;
  Settings& settings_;
  const Theme& theme_;
  History history_;
  Timeline timeline_;
  Playhead playhead_;
  ModelFacts facts_;
  Notice notice_;
  Keys keys_;
  Focus focus_;
  ControlHistory changes_;
  bool help_ = false, full_screen_ = false, quit_ = false;
  SessionStatus status_;
  LatencyKeeper latency_keeper_;
  double frame_s_ = 1.0 / 60;     // mean
  std::uint64_t generation_ = 0;  // of the last observation
  bool play_when_ready_;

  FilesPanel files_;
  WaveformPanel waveform_;
  SurprisePanel surprise_;
  SpectrogramPanel spectrogram_;
  DeltaLayersPanel layers_;
  DeltaChannelsPanel channels_;
  AblationPanel ablation_;
  ControlsPanel controls_;
  StatusLine status_line_;
  LeftoversPanel leftovers_;
};

}  // namespace mambo::gui
