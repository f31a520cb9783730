#include "model/json_text.h"

#include <unordered_set>
#include <vector>

#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

constexpr int max_depth = 32;

// The library's messages begin with an identifier in brackets that says nothing to a user.
std::string parse_problem(const Json::exception& e) {
  const std::string_view what = e.what();
  const std::size_t end = what.find("] ");
  return printable(end == std::string_view::npos ? what : what.substr(end + 2), 200);
}

[[noreturn]] void refuse(const std::string& where, std::string_view key,
                         const std::string& expected, const Json& found) {
  throw Error(where + ": " + std::string(key) + ": expected " + expected + ", found " +
              shown(found));
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
        keys.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (depth >= max_depth) {
          throw Error(where + ": expected JSON nested at most " + std::to_string(max_depth) +
                      " deep, found more");
        }
        break;
      case Json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case Json::parse_event_t::key:
        if (!keys.back().insert(value.get<std::string>()).second) {
          throw Error(where + ": expected each key once, found " +
                      printable(value.get<std::string>()) + " twice");
        }
        break;
      case Json::parse_event_t::array_end:
      case Json::parse_event_t::value:
        break;
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& e) {
    throw Error(where + ": expected JSON, found a " + parse_problem(e));
  }
}

std::string shown(const Json& value) {
  if (value.is_object() && !value.empty()) return "an object";
  if (value.is_array() && value.size() > 16) {
    return "an array of " + std::to_string(value.size());
  }
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::int64_t json_int(const Json& value, const std::string& where, std::string_view key,
                      std::int64_t min, std::int64_t max) {
  // Numbers beyond int64 come as unsigned or as reals; both are out of every range used here.
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                        : value.is_number_integer();
  if (!fits || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) {
    refuse(where, key,
           min == max ? std::to_string(min)
                      : "an integer from " + std::to_string(min) + " to " + std::to_string(max),
           value);
  }
  return value.get<std::int64_t>();
}

double json_real(const Json& value, const std::string& where, std::string_view key, double min,
                 double max) {
  // Written so that NaN, should a parser ever let one through, is refused.
  if (!value.is_number() || !(value.get<double>() >= min && value.get<double>() <= max)) {
    refuse(where, key, "a number from " + Json(min).dump() + " to " + Json(max).dump(), value);
  }
  return value.get<double>();
}

bool json_bool(const Json& value, const std::string& where, std::string_view key) {
  if (!value.is_boolean()) refuse(where, key, "true or false", value);
  return value.get<bool>();
}

std::string json_string(const Json& value, const std::string& where, std::string_view key) {
  if (!value.is_string()) refuse(where, key, "a string", value);
  return value.get<std::string>();
}

}  // namespace mambo
