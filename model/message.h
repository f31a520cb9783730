// What messages are made of. Text of foreign files is shown only through here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mambo {

// Foreign text made safe to show: control characters replaced, cut after `max` bytes.
std::string printable(std::string_view text, std::size_t max = 80);
std::string grouped(std::uint64_t n);                            // 960000 -> "960,000"
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[256, 64]"

}  // namespace mambo
