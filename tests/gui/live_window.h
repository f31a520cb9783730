// The program with its window on a virtual display, played by xdotool like by a person.
#pragma once

#include <filesystem>
#include <string>

#include "display.h"

namespace mambo::gui {

class LiveWindow {
 public:
  // Starts `mambo gui ARGUMENTS` and waits for its window; name() is empty where that is not
  // possible, and why() says the reason.
  LiveWindow(int width, int height, const std::filesystem::path& folder,
             const std::string& arguments);
  ~LiveWindow();  // kills the program if it is still there
  LiveWindow(const LiveWindow&) = delete;
  LiveWindow& operator=(const LiveWindow&) = delete;

  bool is_open() const { return !window_.empty(); }
  const std::string& why() const { return why_; }

  // "key Tab": a command of xdotool. False: it failed.
  bool does(const std::string& command) const;
  // Waits for the program's own end; its exit code, or -1 after half a minute.
  int wait();
  std::string said() const;  // by the program
  std::filesystem::path settings() const { return folder_ / "config" / "mambo" / "window.json"; }

 private:
  std::string output_of(const std::string& command) const;

  VirtualDisplay display_;
  std::filesystem::path folder_;
  std::string window_, why_;
  int process_ = -1;
};

}  // namespace mambo::gui
