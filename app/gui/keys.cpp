#include "app/gui/keys.h"

#include <GLFW/glfw3.h>
#include <imgui.h>

namespace mambo::gui {
namespace {

// Dear ImGui numbers keys as GLFW does.
bool plain(int key, bool repeat = false) {
  const ImGuiIO& io = ImGui::GetIO();
  return !io.KeyCtrl && !io.KeyAlt && !io.KeySuper && ImGui::IsKeyPressed(key, repeat);
}
bool with_ctrl(int key) { return ImGui::GetIO().KeyCtrl && ImGui::IsKeyPressed(key, true); }

}  // namespace

bool pressed(Key key) {
  switch (key) {
    case Key::play:
      return plain(GLFW_KEY_SPACE);
    case Key::again:
      return plain(GLFW_KEY_R);
    case Key::follow:
      return plain(GLFW_KEY_F);
    case Key::left:
      return plain(GLFW_KEY_LEFT, true);
    case Key::right:
      return plain(GLFW_KEY_RIGHT, true);
    case Key::closer:
      return plain(GLFW_KEY_UP, true);
    case Key::wider:
      return plain(GLFW_KEY_DOWN, true);
    case Key::bigger:
      return with_ctrl(GLFW_KEY_EQUAL) || with_ctrl(GLFW_KEY_KP_ADD);
    case Key::smaller:
      return with_ctrl(GLFW_KEY_MINUS) || with_ctrl(GLFW_KEY_KP_SUBTRACT);
    case Key::normal_size:
      return with_ctrl(GLFW_KEY_0) || with_ctrl(GLFW_KEY_KP_0);
  }
  return false;
}

}  // namespace mambo::gui
