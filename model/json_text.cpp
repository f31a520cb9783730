#include "model/json_text.h"

#include <algorithm>
#include <vector>

#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

constexpr std::size_t max_depth = 32;
constexpr std::size_t max_values = 1U << 21U;  // four times those of the largest network

// Line and column of byte `at`, both from 1; of a text of one line the column alone.
std::string place_in(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t start = before.rfind('\n');  // npos + 1 is 0
  const std::size_t column = at - (start + 1) + 1;
  if (text.find('\n') == std::string_view::npos) return "column " + std::to_string(column);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// Builds the value as the library's own handler does, but for objects: that one looks for each key
// among those before it, which takes the square of their number. Here a key that is there twice is
// found when its object ends.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // is not in text
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool start_object(std::size_t /*elements*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
  bool end_object() override {
    std::vector<const std::string*> keys;
    for (const auto& entry : open_.back()->get_ref<const Json::object_t&>()) {
      keys.push_back(&entry.first);
    }
    const auto less = [](const std::string* a, const std::string* b) { return *a < *b; };
    std::sort(keys.begin(), keys.end(), less);
    const auto twice =
        std::adjacent_find(keys.begin(), keys.end(),
                           [](const std::string* a, const std::string* b) { return *a == *b; });
    if (twice != keys.end()) {
      throw Error(where_ + ": expected each key once, found " + printable(**twice) + " twice");
    }
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const Json::exception& /*why*/) override {
    const std::size_t at = std::min(position - std::min<std::size_t>(position, 1), text_.size());
    const std::string found =
        at == text_.size() ? "its end" : "\"" + printable(token, 40) + "\" there";
    throw Error(where_ + ": expected JSON, found none at " + place_in(text_, at) + ": " + found);
  }

 private:
  template <class T>
  Json* place(T&& value) {
    if (++values_ > max_values) {
      throw Error(where_ + ": expected JSON of at most " + std::to_string(max_values) +
                  " values, found more");
    }
    if (open_.empty()) {
      root_ = std::forward<T>(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      return &array.emplace_back(std::forward<T>(value));
    }
    // Past the object's own emplace(), which looks for the key.
    using Pairs = Json::object_t::Container;
    auto& pairs = static_cast<Pairs&>(open_.back()->get_ref<Json::object_t&>());
    return &pairs.emplace_back(std::move(key_), std::forward<T>(value)).second;
  }
  template <class T>
  bool put(T&& value) {
    place(std::forward<T>(value));
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= max_depth) {
      throw Error(where_ + ": expected JSON nested at most " + std::to_string(max_depth) +
                  " deep, found more");
    }
    open_.push_back(place(std::move(container)));
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  Json root_;
  std::vector<Json*> open_;  // each stays where it is while it is open
  std::string key_;          // of the value that comes next in an object
  std::size_t values_ = 0;
};

[[noreturn]] void refuse(const std::string& where, std::string_view key,
                         const std::string& expected, const Json& found) {
  throw Error(where + ": " + std::string(key) + ": expected " + expected + ", found " +
              shown(found));
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  Builder builder(text, where);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
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

std::uint64_t json_whole(const Json& value, const std::string& where, std::string_view key,
                         std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max) {
    refuse(where, key, "a whole number from 0 to " + std::to_string(max), value);
  }
  return value.get<std::uint64_t>();
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

JsonFields::JsonFields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object()) throw Error(where_ + ": expected an object, found " + shown(object));
}

void JsonFields::only(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) {
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw Error(where_ + ": unknown key: expected one of " + names + ", found " + printable(key));
  }
}

const Json& JsonFields::at(const char* key) const {
  const auto it = object_.find(key);
  if (it == object_.end()) throw Error(where_ + ": expected " + key + ", found none");
  return *it;
}

std::uint64_t JsonFields::whole(const char* key, std::uint64_t most) const {
  return json_whole(at(key), where_, key, most);
}

int JsonFields::integer(const char* key, int lo, int hi) const {
  return static_cast<int>(json_int(at(key), where_, key, lo, hi));
}

double JsonFields::real(const char* key, double lo, double hi) const {
  return json_real(at(key), where_, key, lo, hi);
}

std::string JsonFields::text(const char* key) const { return json_string(at(key), where_, key); }

std::string JsonFields::text_or_null(const char* key) const {
  return at(key).is_null() ? std::string() : text(key);
}

std::string JsonFields::text_or(const char* key, const char* otherwise) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? otherwise : json_string(*it, where_, key);
}

std::string JsonFields::one_of(const char* key,
                               std::initializer_list<std::string_view> words) const {
  std::string word = text(key);
  if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  std::string all;
  for (const std::string_view w : words) all += (all.empty() ? "" : " or ") + std::string(w);
  throw Error(where_ + ": " + key + ": expected " + all + ", found " + printable(word));
}

std::string JsonFields::hash(const char* key) const {
  std::string hex = text(key);
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw Error(where_ + ": " + key + ": expected a SHA-256 of 64 digits, found " + printable(hex));
  }
  return hex;
}

std::filesystem::path JsonFields::path(const char* key) const {
  std::string name = text_or(key, "");
  // The system would take the name to end there, and open another file than the one shown.
  if (name.find('\0') != std::string::npos) {
    throw Error(where_ + ": " + key +
                ": expected the name of a file, found one with a NUL: " + printable(name));
  }
  return name;
}

std::string JsonFields::file_name(const char* key) const {
  std::string name = text(key);
  if (!is_plain_name(name)) {
    throw Error(where_ + ": " + key +
                ": expected the plain name of a file, without folders and control characters, "
                "found " +
                (name.empty() ? "an empty one" : printable(name)));
  }
  return name;
}

bool is_plain_name(std::string_view name) {
  constexpr std::size_t most = 255;  // of one name, on any file system
  if (name.empty() || name == "." || name == ".." || name.size() > most) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/';
  });
}

}  // namespace mambo
