#include "app/gui/plot/delta_scale.h"

#include <imgui.h>

#include <cmath>

#include "app/gui/widgets.h"

namespace mambo::gui {
namespace {

constexpr LogRange change_range{-2, 2};  // a quarter to four times the mean

Words words(DeltaColour what, float log2_value) {
  const double v = std::exp2(static_cast<double>(log2_value));
  if (what == DeltaColour::change) {
    return log2_value < 0 ? Words("\u00F7{:.0f}", 1 / v) : Words("\u00D7{:.0f}", v);
  }
  return what == DeltaColour::delta ? rounded_words(v) : rounded_seconds_words(v);
}

}  // namespace

LogRange DeltaScale::range(DeltaColour what) const {
  if (what == DeltaColour::change) return change_range;
  return what == DeltaColour::delta ? delta : horizon;
}

Words DeltaScale::low_words(DeltaColour what) const {
  const LogRange r = range(what);
  return r.hi > r.lo ? words(what, r.lo) : Words();
}

Words DeltaScale::high_words(DeltaColour what) const {
  const LogRange r = range(what);
  return r.hi > r.lo ? words(what, r.hi) : Words();
}

float delta_colour_choice(const Theme& t, float x, float y, DeltaColour& what) {
  const auto names = {"\u0394", "horizon", "change"};
  x -= segmented_width(t, names);
  ImGui::SetCursorScreenPos(ImVec2(x, y));
  int chosen = static_cast<int>(what);
  ImGui::PushID(&what);
  if (segmented(
          t, "colour", names, chosen,
          "What the colours show, on a logarithmic scale. \u0394: the step size; a large one takes "
          "the input in and forgets the past. Horizon: how long a channel's slowest state "
          "remembers at this \u0394. Change: \u0394 relative to its own mean, which is the effect "
          "of the input; none in a time-invariant layer (s4d), whose \u0394 is constant.")) {
    what = static_cast<DeltaColour>(chosen);
  }
  ImGui::PopID();
  return x;
}

}  // namespace mambo::gui
