// The sound: an envelope of minima and maxima, at closer zoom a line through the samples, closest a
// dot per sample. Below it, the model's surprise.
#pragma once

#include "app/gui/context.h"

namespace mambo::gui {

class WaveformPanel {
 public:
  void draw(Context& c, float top, float bottom);

 private:
  void choose_gain(const Context& c);
  float gain_ = 1;  // full height shows +-1/gain
};

// Entropy of the model's prediction, and surprise (-log2 p) of the code that was drawn, in bits.
class SurprisePanel {
 public:
  void draw(Context& c, float top, float bottom);
};

}  // namespace mambo::gui
