#include "app/gui/monitor_scale.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <algorithm>
#include <cmath>

namespace mambo::gui {
namespace {

float in_quarters(float scale) { return std::clamp(std::floor(scale * 4 + 0.5F) / 4, 1.0F, 3.0F); }

}  // namespace

float monitor_scale() {
  GLFWmonitor* monitor = glfwGetPrimaryMonitor();
  if (monitor == nullptr) return 1;
  float asked = 1;
  float ignored = 1;
  glfwGetMonitorContentScale(monitor, &asked, &ignored);
  if (asked > 1.01F) return std::min(asked, 4.0F);
  int width_mm = 0;
  int height_mm = 0;
  glfwGetMonitorPhysicalSize(monitor, &width_mm, &height_mm);
  const GLFWvidmode* mode = glfwGetVideoMode(monitor);
  if (mode == nullptr) return 1;
  const auto made_up = [](int pixels) {  // what GLFW says when it does not know
    return static_cast<int>(static_cast<float>(pixels) * 25.4F / 96.0F);
  };
  const bool unknown = width_mm == made_up(mode->width) && height_mm == made_up(mode->height);
  if (unknown || width_mm < 150 || height_mm < 80) {  // or a projector's lie
    return in_quarters(static_cast<float>(mode->width) / 1920);
  }
  const float dpi = 25.4F * static_cast<float>(mode->width) / static_cast<float>(width_mm);
  return in_quarters(dpi / 96);
}

}  // namespace mambo::gui
