// JSON from untrusted files: parsed within bounds, and values formatted for messages. Internal to
// the model layer (the only one that sees the JSON library).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mambo {

using Json = nlohmann::ordered_json;

// Throws Error that begins with `where`: not JSON, a key twice in one object (which readers would
// resolve differently), or nested deeper than any valid file (memory grows with depth).
Json parse_json(std::string_view text, const std::string& where);

// A value as it was written, for "found ...".
std::string shown(const Json& value);

// One key of an object. Each throws Error "where: key: expected ..., found ...".
std::int64_t json_int(const Json& value, const std::string& where, std::string_view key,
                      std::int64_t min, std::int64_t max);
double json_real(const Json& value, const std::string& where, std::string_view key, double min,
                 double max);
bool json_bool(const Json& value, const std::string& where, std::string_view key);
std::string json_string(const Json& value, const std::string& where, std::string_view key);

}  // namespace mambo
