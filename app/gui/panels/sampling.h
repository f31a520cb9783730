// The column at the right: sampling controls, level, output device.
#pragma once

#include "app/gui/context.h"
#include "app/gui/devices.h"

namespace mambo::gui {

class SamplingPanel {
 public:
  SamplingPanel() { devices_.refresh(); }
  void draw(Context& c, ImVec2 min, ImVec2 max);

 private:
  void sampling(Context& c);
  void output(Context& c);
  void device_choice(Context& c);
  void display(Context& c);
  void model(const Context& c);

  DeviceList devices_;
};

}  // namespace mambo::gui
