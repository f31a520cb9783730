// Events of moments as performances keep them. Slots are counted from 1, as the keys are.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "app/control/moment_event.h"
#include "app/control/performance.h"
#include "model/json_text.h"

namespace mambo {

const char* moment_key(ControlId id);  // "recall"
Json moment_json(const std::vector<PlayedMoment>& moments, const ControlEvent& e);

// Which of them an event's line is; none: no moment.
std::optional<ControlId> moment_in(const JsonFields& line);
// Throws Error "where: ...". What an event `slot` names is added to `moments`.
ControlEvent read_moment_event(const JsonFields& line, ControlId id, std::uint64_t at,
                               std::vector<PlayedMoment>& moments);

}  // namespace mambo
