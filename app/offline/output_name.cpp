#include "app/offline/output_name.h"

#include <fmt/core.h>

#include <algorithm>

#include "app/usage_error.h"
#include "model/message.h"

namespace mambo {
namespace {

// A value takes the place of part of a name: it is no path, whatever the clip is called.
std::string plain(const std::string& value) {
  const bool dots = value.find_first_not_of('.') == std::string::npos;
  std::string name = dots ? "unnamed" : value;
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

std::string value_of(const std::string& field, const NameFields& f, const std::string& pattern) {
  if (field == "clip") return plain(f.clip);
  if (field == "folder") return plain(f.folder);
  if (field == "model") return plain(f.model);
  if (field == "random_seed") return fmt::format("{}", f.random_seed);
  if (field == "n") return fmt::format("{:03}", f.n);
  if (field == "job") return fmt::format("{:04}", f.job);
  throw UsageError(
      fmt::format("expected fields of {} in the name {}, found {{{}}} (a brace is {{{{ or }}}})",
                  name_fields, printable(pattern), printable(field)));
}

template <class F>
void each_part(const std::string& pattern, const F& part) {
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if ((c == '{' || c == '}') && at + 1 < pattern.size() && pattern[at + 1] == c) {
      part(std::string(1, c), false);
      at += 2;
    } else if (c == '{' || c == '}') {
      const std::size_t end = c == '{' ? std::min(pattern.find('}', at), pattern.size()) : at;
      const bool closed = end > at && end < pattern.size();  // else a brace without its other
      part(closed ? pattern.substr(at + 1, end - at - 1) : std::string(1, c), true);
      at = closed ? end + 1 : pattern.size();
    } else {
      const std::size_t end = std::min(pattern.find_first_of("{}", at), pattern.size());
      part(pattern.substr(at, end - at), false);
      at = end;
    }
  }
}

}  // namespace

std::string fill_in(const std::string& pattern, const NameFields& fields) {
  std::string name;
  each_part(pattern, [&](const std::string& text, bool field) {
    name += field ? value_of(text, fields, pattern) : text;
  });
  return name;
}

bool has_field(const std::string& pattern, const char* field) {
  bool found = false;
  each_part(pattern, [&](const std::string& text, bool is_field) {
    found = found || (is_field && text == field);
  });
  return found;
}

bool has_fields(const std::string& pattern) {
  bool found = false;
  each_part(pattern, [&](const std::string&, bool is_field) { found = found || is_field; });
  return found;
}

std::string literal(const std::string& name) {
  std::string pattern;
  for (const char c : name) pattern.append(c == '{' || c == '}' ? 2 : 1, c);
  return pattern;
}

void must_stay_below(const std::filesystem::path& path) {
  const bool up = std::find(path.begin(), path.end(), "..") != path.end();
  const bool nul = path.native().find('\0') != std::string::npos;
  if (path.empty() || path.is_absolute() || up || nul) {
    throw UsageError(fmt::format("expected a name below the folder of -o, found \"{}\"",
                                 printable(path.string())));
  }
}

}  // namespace mambo
