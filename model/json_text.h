// JSON from untrusted files: parsed within bounds, and values read by kind and range. The one
// reader of model headers, configurations, recipes, performances and settings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mambo {

using Json = nlohmann::ordered_json;

// Throws Error that begins with `where`: not JSON, a key twice in one object (which readers would
// resolve differently), nested deeper or of more values than any valid file. Time is that of
// sorting the keys, memory some 30 times the text.
Json parse_json(std::string_view text, const std::string& where);

// A value as it was written, for "found ...".
std::string shown(const Json& value);

// One key of an object. Each throws Error "where: key: expected ..., found ...". A number with a
// fraction or an exponent is no integer.
std::int64_t json_int(const Json& value, const std::string& where, std::string_view key,
                      std::int64_t min, std::int64_t max);
std::uint64_t json_whole(const Json& value, const std::string& where, std::string_view key,
                         std::uint64_t max);
double json_real(const Json& value, const std::string& where, std::string_view key, double min,
                 double max);
bool json_bool(const Json& value, const std::string& where, std::string_view key);
std::string json_string(const Json& value, const std::string& where, std::string_view key);

// The keys of one object. Each reader throws Error as above, and where the key is not there.
class JsonFields {
 public:
  // `object` outlives this. Throws Error when it is none.
  JsonFields(const Json& object, std::string where);

  void only(std::initializer_list<std::string_view> known) const;  // no key but these
  bool has(const char* key) const { return object_.contains(key); }
  const Json& at(const char* key) const;
  std::uint64_t whole(const char* key, std::uint64_t most) const;
  int integer(const char* key, int lo, int hi) const;
  double real(const char* key, double lo, double hi) const;
  std::string text(const char* key) const;
  std::string text_or_null(const char* key) const;                    // null: empty
  std::string text_or(const char* key, const char* otherwise) const;  // null or absent: otherwise
  std::string one_of(const char* key, std::initializer_list<std::string_view> words) const;
  std::string hash(const char* key) const;  // SHA-256, 64 digits
  // Of a file anywhere; null or absent: empty.
  std::filesystem::path path(const char* key) const;
  // Of a file in a folder that the reader chooses: is_plain_name.
  std::string file_name(const char* key) const;
  const std::string& where() const { return where_; }

 private:
  const Json& object_;
  std::string where_;
};

// Whether `name`, as a foreign file has it, leads to a file in the folder at hand and nowhere else:
// no separator, NUL or other control character, neither empty nor . nor .., at most 255 bytes.
bool is_plain_name(std::string_view name);

}  // namespace mambo
