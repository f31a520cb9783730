// What the colour of the two Δ panels shows, and over which range: Δ itself, the memory horizon
// that follows from it, or how far Δ is from its own mean.
#pragma once

#include "app/gui/plot/colormap.h"
#include "app/gui/settings.h"
#include "app/gui/theme.h"
#include "app/gui/words.h"

namespace mambo::gui {

struct DeltaScale {
  LogRange delta, horizon;

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
  Words low_words(DeltaColour what) const;
  Words high_words(DeltaColour what) const;
};

// The choice between the three, right-aligned at x; returns its left end.
float delta_colour_choice(const Theme& t, float x, float y, DeltaColour& what);

}  // namespace mambo::gui
