#include "app/gui/full_screen.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <algorithm>
#include <span>

namespace mambo::gui {
namespace {

GLFWmonitor* monitor_of(int x, int y, int width, int height) {
  int count = 0;
  GLFWmonitor** all = glfwGetMonitors(&count);
  GLFWmonitor* best = glfwGetPrimaryMonitor();
  long most = 0;
  for (GLFWmonitor* m : std::span(all, static_cast<std::size_t>(std::max(count, 0)))) {
    int left = 0;
    int top = 0;
    glfwGetMonitorPos(m, &left, &top);
    const GLFWvidmode* mode = glfwGetVideoMode(m);
    if (mode == nullptr) continue;
    const long w = std::min(x + width, left + mode->width) - std::max(x, left);
    const long h = std::min(y + height, top + mode->height) - std::max(y, top);
    const long shared = std::max(w, 0L) * std::max(h, 0L);
    if (shared > most) {
      most = shared;
      best = m;
    }
  }
  return best;
}

}  // namespace

void FullScreen::set(GLFWwindow* window, bool on) {
  if (on == on_) return;
  if (!on) {
    on_ = false;
    glfwSetWindowMonitor(window, nullptr, x_, y_, width_, height_, GLFW_DONT_CARE);
    return;
  }
  glfwGetWindowPos(window, &x_, &y_);
  glfwGetWindowSize(window, &width_, &height_);
  GLFWmonitor* monitor = monitor_of(x_, y_, width_, height_);
  const GLFWvidmode* mode = monitor != nullptr ? glfwGetVideoMode(monitor) : nullptr;
  if (mode == nullptr) return;
  on_ = true;
  glfwSetWindowMonitor(window, monitor, 0, 0, mode->width, mode->height, mode->refreshRate);
}

void FullScreen::size(GLFWwindow* window, int& width, int& height) const {
  glfwGetWindowSize(window, &width, &height);
  if (!on_) return;
  width = width_;
  height = height_;
}

}  // namespace mambo::gui
