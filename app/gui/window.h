// The window: what is played, heard and seen. The only part of the project that knows Dear ImGui,
// GLFW and OpenGL is this folder. It drives a Session and computes nothing of the network itself:
// of a model it reads facts (model_facts.h), of its work observations.
#pragma once

#include <functional>
#include <string>

#include "app/live/session.h"

namespace mambo {

struct GuiOptions {
  std::string model;      // empty: the last session's, then the shipped one
  LoadOptions load;       // what that model does not say itself
  std::string seed_clip;  // the sound to continue; empty: likewise
  std::string device;     // empty: the last session's, then the default
  std::string input;      // to be listened to; empty: none
  std::string backend = "auto";
  EngineOptions engine;
  // Before what the last session left, a model's own values and the table's; of the first model.
  ControlChoice controls;
  std::string screenshot;  // PNG of what the window shows after after_s seconds; then it closes
  bool force = false;      // the screenshot may replace any file
  double after_s = 5;
  bool autoplay = true;       // play as soon as the model is ready
  int width = 0, height = 0;  // of the window, in pixels; 0: the last session's, then 1280 x 800
  // Asked four times per second at least; true closes the window as its user would. Empty: never.
  std::function<bool()> interrupted;
};

// Opens the window and returns 0 when it was closed. Main thread. Throws Error when there is no
// display or no OpenGL; whatever goes wrong later is said in the status line and the window stays.
int run_gui(const GuiOptions& options);

}  // namespace mambo
