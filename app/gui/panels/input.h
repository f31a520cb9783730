// The input that is listened to: its choice, its meter, the button that is held while the model
// listens, and the one that keeps the last minute as a clip.
#pragma once

#include <filesystem>

#include "app/gui/context.h"
#include "app/gui/devices.h"
#include "app/gui/menu_list.h"

namespace mambo::gui {

class InputPanel {
 public:
  InputPanel() { devices_.refresh(); }
  void draw(Context& c);
  void take_keys(Context& c);
  // Once per frame: a key that was let go; a clip that was kept.
  void look(Context& c);

 private:
  void choice(Context& c);
  static void level(const Context& c);
  void buttons(Context& c);
  void press(Context& c);
  void release(Context& c);
  static void answer(Context& c);

  DeviceList devices_{&list_audio_inputs};
  MenuList list_;
  enum class Held : std::uint8_t { none, key, button };
  Held held_ = Held::none;
  bool began_ = false;    // by the press that is held
  double pressed_s_ = 0;  // ImGui::GetTime()
  std::filesystem::path kept_;
};

}  // namespace mambo::gui
