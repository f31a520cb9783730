// Shapes in messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mambo {

std::string shape_text(const std::vector<std::int64_t>& shape);  // "[256, 64]"

}  // namespace mambo
