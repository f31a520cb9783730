// What a panel may use while one frame is drawn.
#pragma once

#include <optional>
#include <string>

#include "app/gui/commands.h"
#include "app/gui/control_history.h"
#include "app/gui/history/history.h"
#include "app/gui/history/timeline.h"
#include "app/gui/keys.h"
#include "app/gui/model_facts.h"
#include "app/gui/settings.h"
#include "app/gui/theme.h"
#include "app/live/session.h"

namespace mambo::gui {

// The window's own message; shown in the status line until the session has a new one.
struct Notice {
  std::string text;
  bool is_error = false;
  void say(std::string words, bool error) {
    text = std::move(words);
    is_error = error;
  }
};

struct Context {
  Session& session;
  History& history;
  Timeline& timeline;
  Settings& settings;
  const Theme& theme;
  Notice& notice;
  const ModelFacts& facts;  // facts.model is null until a model is loaded
  Keys& keys;               // pressed for this frame
  ControlHistory& changes;

  SessionStatus status{};
  TimeView view{};
  float plot_left = 0, plot_right = 0;    // x of all plots, pixels
  float panel_left = 0;                   // x where the labels begin
  std::optional<double> latency_offer{};  // ms: what would survive the underruns there were
  double hand_ms = 0;  // of status.output_latency_ms, what the window itself takes
  double cursor = -1;  // pixel column under the pointer; < 0: none

  float u(float units) const { return theme.u(units); }
  // A control changed by hand: from now on, and so that it can be undone.
  void change(ControlId id, const ControlValue& value) {
    const ControlValue before = session.control(id);
    if (session.set(id, value)) changes.changed(id, before, session.control(id), ImGui::GetTime());
  }
  void change(ControlId id, double value) { change(id, ControlValue{value, 0}); }
  // The same of a layer's control, for the layers of a target: over 20 ms, so that a drag moves
  // evenly and no step of it is heard.
  void change_layers(ControlId id, std::int16_t target, double value);
  bool has_model() const { return facts.model != nullptr; }
  // Of sound that the model has absorbed or drawn by now.
  double heard_s() const { return static_cast<double>(history.end()) / history.rate(); }
  // Seconds since the model took over from the clip.
  double seconds(double position) const {
    return (position - static_cast<double>(history.clip_end())) / history.rate();
  }
};

// Sends what differs from where the values go now.
void send_layers(Session& session, const LayerValues& values, const LayerSnapshot& wanted);

}  // namespace mambo::gui
