#pragma once

struct GLFWwindow;

namespace mambo::gui {

// A window's way to the whole of its screen and back. GUI thread only.
class FullScreen {
 public:
  // Does nothing when it is so already. The screen is the one that holds most of the window.
  void set(GLFWwindow* window, bool on);
  // Of the window when it is not full.
  void size(GLFWwindow* window, int& width, int& height) const;

 private:
  bool on_ = false;
  int x_ = 0, y_ = 0, width_ = 0, height_ = 0;
};

}  // namespace mambo::gui
