// A display without a screen, for as long as a test runs.
#pragma once

#include <string>

namespace mambo::gui {

class VirtualDisplay {
 public:
  // Starts Xvfb on a free display. name() is empty when it is not installed or does not start.
  VirtualDisplay(int width, int height);
  ~VirtualDisplay();
  VirtualDisplay(const VirtualDisplay&) = delete;
  VirtualDisplay& operator=(const VirtualDisplay&) = delete;

  const std::string& name() const { return name_; }  // ":42"

 private:
  int process_ = -1;
  std::string name_;
};

}  // namespace mambo::gui
