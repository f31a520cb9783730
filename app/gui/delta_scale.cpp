#include "app/gui/delta_scale.h"

#include <cmath>

namespace mambo::gui {
namespace {

constexpr LogRange change_range{-2, 2};  // a quarter to four times the usual

Words words(LayerColour what, float log2_value) {
  const double v = std::exp2(static_cast<double>(log2_value));
  if (what == LayerColour::change) {
    return log2_value < 0 ? Words("\u00F7{:.0f}", 1 / v) : Words("\u00D7{:.0f}", v);
  }
  return what == LayerColour::delta ? rounded_words(v) : rounded_seconds_words(v);
}

}  // namespace

LogRange DeltaScale::range(LayerColour what) const {
  if (what == LayerColour::change) return change_range;
  return what == LayerColour::delta ? delta : horizon;
}

Words DeltaScale::low_words(LayerColour what) const { return words(what, range(what).lo); }
Words DeltaScale::high_words(LayerColour what) const { return words(what, range(what).hi); }

}  // namespace mambo::gui
