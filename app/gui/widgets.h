// The window's widgets, all alike: a label, a value with its unit, a tooltip, a default restored by
// a double click, and Ctrl-click to type a value. Each has a place for the keyboard (focus.h):
// Enter presses a button, types into a slider; arrows move a slider by its step.
#pragma once

#include <imgui.h>

#include <initializer_list>

#include "app/control/choice.h"
#include "app/gui/plot/colormap.h"
#include "app/gui/theme.h"

namespace mambo::gui {

enum class Icon : int { none, play, pause, again, record, stop, folder, listen };

// After any item: shows `words` when the pointer rests on it, beside it and never while it or
// another is held; in a column, beside the column.
void tooltip(const Theme& t, const char* words);
void text_in(ImFont* font, ImU32 colour, const char* words);  // at the cursor
// After a control: its place for the keyboard, with a ring where the focus is; scrolls it into
// view. steps: left and right change its value.
void keyboard_place(const Theme& t, ImGuiID id, bool steps = false);
// ImGui::Button with such a place.
bool push_button(const Theme& t, const char* label, ImVec2 size);

// Draws `words` with its box aligned: x 0 left, 0.5 centre, 1 right; y likewise. Returns its width.
float draw_text(ImDrawList& list, ImFont* font, ImVec2 at, float x_align, float y_align,
                ImU32 colour, const char* words);
// As much of `words` as fits in `width` pixels, with an ellipsis in the middle of a long one.
void draw_text_fitted(ImDrawList& list, ImFont* font, ImVec2 at, float width, ImU32 colour,
                      const char* words);

// A control of the table, as wide as the window allows: its label, its value as its format shows
// it, and a slider whose travel its taper, or the
// model's useful range, maps. Its help is the tooltip. Double click: what `model`
// says of it itself, else the table's default. Ctrl-click: type a value. The value is always one
// that the control may have and that its format shows without loss. Not of whole64.
struct SliderResult {
  bool changed;  // this frame
  bool settled;  // and let go
  bool stepped;  // by keys, which may follow one another
};
SliderResult control_slider(const Theme& t, const ControlSpec& spec, const ControlChoice& model,
                            const Useful& useful, double& value);

// A button that shows what is chosen and opens a list.
bool choice_button(const Theme& t, const char* id, const char* shown, ImVec2 size);
bool icon_button(const Theme& t, const char* id, Icon icon, const char* label, bool lit,
                 ImU32 lit_colour, ImVec2 size, const char* words);
void draw_icon(ImDrawList& list, Icon icon, ImVec2 centre, float size, ImU32 colour);

// A row of small choices; returns its width. `chosen` is the index.
bool segmented(const Theme& t, const char* id, std::initializer_list<const char*> names,
               int& chosen, const char* words);
float segmented_width(const Theme& t, std::initializer_list<const char*> names);

// A colour bar with the values of its ends, right-aligned at `right`; returns its left end. middle:
// what is at its middle, which is then marked, as is the word beside it; empty: nothing.
float legend(const Theme& t, ImDrawList& list, ImVec2 right, const Palette& p, const char* low,
             const char* high, const char* middle = "");

}  // namespace mambo::gui
