// What messages are made of. Text of foreign files is shown only through here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace mambo {

// Foreign text made safe to show, as UTF-8: control characters, those that turn the reading
// direction and what is no UTF-8 replaced by ?, cut after `max` bytes.
std::string printable(std::string_view text, std::size_t max = 80);
// What an exception says to a user. Those of the standard library say too little ("std::bad_alloc",
// "Resource temporarily unavailable" without what): they are put into words.
std::string said_by(const std::exception& e);
std::string grouped(std::uint64_t n);                            // 960000 -> "960,000"
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[256, 64]"

}  // namespace mambo
