// The column at the right: the controls of the draw and of the output, and what the model is.
#pragma once

#include <optional>

#include "app/gui/context.h"
#include "app/gui/devices.h"
#include "app/gui/menu_list.h"
#include "app/gui/panels/input.h"
#include "app/gui/panels/selectivity.h"

namespace mambo::gui {

class ControlsPanel {
 public:
  ControlsPanel() { devices_.refresh(); }
  void draw(Context& c, ImVec2 min, ImVec2 max);
  SelectivityPanel& selectivity() { return selectivity_; }
  InputPanel& input() { return input_; }

 private:
  void sampling(Context& c);
  void random_seed(Context& c);
  void output(Context& c);
  void latency(Context& c);
  static void underruns(Context& c);
  void device_choice(Context& c);
  void display(Context& c);
  void model(const Context& c);

  SelectivityPanel selectivity_;
  InputPanel input_;
  DeviceList devices_;
  MenuList device_list_;
  std::optional<double> moving_latency_;  // ms, while its slider is held
};

}  // namespace mambo::gui
