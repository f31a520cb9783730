#include "app/gui/plot/delta_scale.h"

#include <imgui.h>

#include <algorithm>
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
  if (what == DeltaColour::delta) return delta;
  LogRange r = horizon;
  if (beyond && r.hi > longest) r.hi = longest;
  r.lo = std::min(r.lo, r.hi - 1);
  return r;
}

const Palette& DeltaScale::colours(DeltaColour what, int colour_map) {
  return what == DeltaColour::change ? diverging_palette()
                                     : palette(static_cast<ColourMap>(colour_map));
}

const char* DeltaScale::zero_words(DeltaColour what) {
  return what == DeltaColour::change ? "mean" : "";
}

Words horizon_words(float log2_seconds, double heard_s) {
  const double seconds = std::exp2(static_cast<double>(log2_seconds));
  if (heard_s > 0 && seconds > heard_s) {
    return Words("over {}, all that was heard", seconds_words(heard_s).c_str());
  }
  return seconds_words(seconds);
}

Words DeltaScale::low_words(DeltaColour what) const {
  const LogRange r = range(what);
  return r.hi > r.lo ? words(what, r.lo) : Words();
}

Words DeltaScale::high_words(DeltaColour what) const {
  const LogRange r = range(what);
  if (!(r.hi > r.lo)) return {};
  const bool capped = what == DeltaColour::horizon && beyond && r.hi >= longest;
  return capped ? Words("\u2265 {}", words(what, r.hi).c_str()) : words(what, r.hi);
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
          "remembers at this \u0394; what is longer than all that was heard so far was never put "
          "to "
          "the test, and ends the scale (\u2265). Change: \u0394 relative to its own mean, which "
          "is "
          "the effect of the input: blue below the mean, orange above; none in a time-invariant "
          "layer (s4d), whose \u0394 is constant.")) {
    what = static_cast<DeltaColour>(chosen);
  }
  ImGui::PopID();
  return x;
}

}  // namespace mambo::gui
