// What all plots over time share: the frame, the pointer (wheel zooms, drag pans, double click goes
// back to live), the clip's shade, the readout beside the pointer.
#pragma once

#include <imgui.h>

#include "app/gui/context.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {

struct Plot {
  ImVec2 min, max;
  bool hovered = false;
  bool clicked = false;  // pressed and let go without a drag
  double position = 0;   // samples, under the pointer
  float pointer_y = 0;   // pixels below min.y
  float width() const { return max.x - min.x; }
  float height() const { return max.y - min.y; }
};

// The height of a panel's title line.
inline float header_height(const Context& c) { return c.u(24); }

// Title at the panel's top left. right: where the controls begin that stand right-aligned on the
// same line; as much of the detail as has room before them is shown.
void panel_title(const Context& c, float y, const char* title, const char* detail = "",
                 float right = 1e6F);

// Background, time grid and input of a plot that spans [top, bottom) and all of the time axis.
// covered: a picture will hide the background, so none is drawn.
Plot begin_plot(Context& c, const char* id, float top, float bottom, bool covered = false);
void shade_clip(const Context& c, const Plot& p);
void mark_clip_end(const Context& c, const Plot& p);  // where colours must stay true
// Right of what has been heard: drawn, but still in the ring.
void mark_playhead(const Context& c, const Plot& p);
void axis_label(const Context& c, float y, const char* words, ImU32 colour = colour::faint);

// The readout: a tooltip of lines "what   value". Begin says when and which sample.
void begin_readout(const Context& c);  // of something beside a plot: says nothing of time
void begin_readout(const Context& c, const Plot& p);
void readout(const Context& c, const char* what, const char* value);
void end_readout();

// The column grid's first column that may still change, given that data reach `end`.
std::int64_t open_column(const TimeView& v, double end);

}  // namespace mambo::gui
