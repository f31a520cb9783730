// The time ruler above the plots, and the ticks that its grid and theirs share.
#pragma once

#include <algorithm>
#include <cmath>

#include "app/gui/context.h"

namespace mambo::gui {

// Seconds between labelled ticks so that labels stand at least `apart` pixels from each other.
double tick_step(double seconds_per_px, double apart);

// f(x in pixels, seconds since the model took over) for each tick in view.
template <class F>
void for_each_tick(const Context& c, F&& f) {
  const double rate = c.history.rate();
  const double step = tick_step(c.view.samples_per_px / rate, static_cast<double>(c.u(92)));
  const double offset = static_cast<double>(c.history.clip_end());
  const double first = std::ceil((c.view.begin() - offset) / rate / step);
  const double last = std::floor((c.view.end() - offset) / rate / step);
  for (double k = first; k <= last && k < first + 512; ++k) {
    const double x = c.view.px(k * step * rate + offset);
    if (x < 0 || x >= static_cast<double>(c.plot_right - c.plot_left)) continue;
    f(c.plot_left + static_cast<float>(std::floor(x)), k * step);
  }
}

// Labels and the button that shows and sets whether the view follows what is heard.
void draw_ruler(Context& c, float top, float bottom);

}  // namespace mambo::gui
