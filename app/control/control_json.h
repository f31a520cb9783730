// A control's value as recipes and performances keep it.
#pragma once

#include <span>
#include <string>

#include "app/control/choice.h"
#include "app/control/control.h"
#include "model/json_text.h"

namespace mambo {

// Of the kind and in the range that the table says, as for the option of the same name. Not of a
// trigger, which has no value. Throws Error "where: key: expected ..., found ...".
ControlValue json_control(const Json& value, const std::string& where, const ControlSpec& spec);

// {"hold_B.tier1": 1}: values of layers by name, in their order.
Json settings_json(std::span<const LayerSetting> settings);

}  // namespace mambo
