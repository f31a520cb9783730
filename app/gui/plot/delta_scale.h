// What the colour of the two Δ panels shows, and over which range: Δ itself, the memory horizon
// that follows from it, or how far Δ is from its own mean.
#pragma once

#include <cmath>
#include <limits>

#include "app/gui/plot/colormap.h"
#include "app/gui/settings.h"
#include "app/gui/words.h"

namespace mambo::gui {

struct Theme;

struct DeltaScale {
  LogRange delta, horizon;
  // log2 of seconds: what is longer than all that was heard could not be observed, and is shown as
  // that. In half octaves, so that colours change rarely while it grows.
  float longest = std::numeric_limits<float>::infinity();
  bool beyond = false;  // some horizon is longer

  void set_heard(double seconds) {
    longest = seconds > 0 ? std::floor(static_cast<float>(std::log2(seconds)) * 2) / 2
                          : std::numeric_limits<float>::infinity();
  }

  // Both in octaves. numerator: log2 of what, divided by Δ, is the horizon in seconds; mean: the
  // mean of log2 Δ.
  static float value(DeltaColour what, float log2_delta, float numerator, float mean) {
    switch (what) {
      case DeltaColour::horizon:
        return numerator - log2_delta;
      case DeltaColour::change:
        return log2_delta - mean;
      case DeltaColour::delta:
        break;
    }
    return log2_delta;
  }
  LogRange range(DeltaColour what) const;
  // The colours of `what`: the map of the settings, or a diverging one where there is a zero.
  static const Palette& colours(DeltaColour what, int colour_map);
  // Of the colour bar: its ends, and its zero where it has one, else empty.
  Words low_words(DeltaColour what) const;
  Words high_words(DeltaColour what) const;
  static const char* zero_words(DeltaColour what);
};

// A memory horizon, "1.23 s", or, where that is longer than all that was heard so far, "over 14 s,
// all that was heard". log2 of seconds.
Words horizon_words(float log2_seconds, double heard_s);

// The choice between the three, right-aligned at x; returns its left end.
float delta_colour_choice(const Theme& t, float x, float y, DeltaColour& what);

}  // namespace mambo::gui
