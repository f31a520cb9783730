// A control of the table in words.
#pragma once

#include "app/control/choice.h"
#include "app/gui/words.h"

namespace mambo::gui {

// A value as the control's format shows it, or "off". Not of whole64.
Words value_words(const ControlSpec& spec, double value);
// The nearest value that the format shows without loss and that the control may have.
double as_shown(const ControlSpec& spec, double value);

// What a double click brings: the model's own value where it has one, else the table's.
double own_value(const ControlSpec& spec, const ControlChoice& model);
// The control's help, where the model finds it useful, and what clicks on it do.
Words control_tip(const ControlSpec& spec, const ControlChoice& model, const Useful& useful = {});

}  // namespace mambo::gui
