#include "app/offline/job_list.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

using Json = nlohmann::json;  // sorted: many keys take no time out of proportion

[[noreturn]] void refuse(const std::string& where, int line, const std::string& what) {
  throw Error(fmt::format("{}, line {}: {}", where, line, what));
}

void add(Job& job, const std::string& key, std::string value, const std::string& where) {
  if (value.find('\0') != std::string::npos) {
    refuse(where, job.line, fmt::format("{}: expected text without NUL", printable(key)));
  }
  job.values.emplace_back(key, std::move(value));
}

Job json_job(std::string_view text, const std::string& where, int line) {
  const Json j = Json::parse(text, nullptr, false);
  if (!j.is_object()) {
    refuse(where, line, fmt::format("expected a JSON object, found {}", printable(text, 40)));
  }
  Job job;
  job.line = line;
  for (const auto& [key, value] : j.items()) {
    if (value.is_null()) continue;
    if (value.is_string()) {
      add(job, key, value.get<std::string>(), where);
    } else if (value.is_number() || value.is_boolean()) {
      add(job, key, value.dump(), where);
    } else {
      refuse(where, line,
             fmt::format("{}: expected a text, a number, true or false, found {}", printable(key),
                         value.is_array() ? "a list" : "an object"));
    }
  }
  return job;
}

std::vector<Job> json_jobs(std::string_view text, const std::string& where) {
  std::vector<Job> jobs;
  int line = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (jobs.size() == most_jobs) {
      refuse(where, line, fmt::format("expected {} jobs at most", most_jobs));
    }
    if (row.size() > most_line_bytes) {
      refuse(where, line, fmt::format("expected {} kB at most", most_line_bytes >> 10U));
    }
    jobs.push_back(json_job(row, where, line));
  }
  return jobs;
}

// One record of a CSV: fields between commas; in quotes a field may hold commas, line ends and, as
// two, quotes.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  int line() const { return line_; }  // where the last record began
  bool next(std::vector<std::string>& fields) {
    fields.clear();
    line_ += lines_;
    lines_ = 0;
    if (text_.empty()) return false;
    lines_ = 1;
    fields.emplace_back();
    bool quoted = false;  // inside quotes
    bool closed = false;  // after them
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (quoted) {
        if (c == '\n') ++lines_;
        if (c != '"') {
          fields.back() += c;
        } else if (!text_.empty() && text_.front() == '"') {
          fields.back() += c;
          text_.remove_prefix(1);
        } else {
          quoted = false;
          closed = true;
        }
      } else if (c == '\n') {
        return true;
      } else if (c == ',') {
        fields.emplace_back();
        closed = false;
      } else if (c == '"' && fields.back().empty() && !closed) {
        quoted = true;
      } else if (c != '\r' || (!text_.empty() && text_.front() != '\n')) {
        if (closed) refuse(where_, line_, "expected a comma after a closing quote");
        fields.back() += c;
      }
    }
    if (quoted) refuse(where_, line_, "expected a closing quote, found the end of the file");
    return true;
  }

 private:
  std::string_view text_;
  const std::string& where_;
  int line_ = 1, lines_ = 0;
};

std::vector<Job> csv_jobs(std::string_view text, const std::string& where) {
  CsvReader reader(text, where);
  std::vector<std::string> header;
  reader.next(header);
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (std::find(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(i), header[i]) !=
        header.begin() + static_cast<std::ptrdiff_t>(i)) {
      refuse(where, 1,
             fmt::format("expected each column once, found {} twice", printable(header[i])));
    }
    constexpr std::size_t most_columns = 100;
    if (i == most_columns)
      refuse(where, 1, fmt::format("expected {} columns at most", most_columns));
  }
  std::vector<Job> jobs;
  std::vector<std::string> fields;
  while (reader.next(fields)) {
    if (fields.size() == 1 && fields.front().empty()) continue;  // an empty line
    Job job;
    job.line = reader.line();
    if (fields.size() != header.size()) {
      refuse(where, job.line,
             fmt::format("expected {} fields, as in the header, found {}", header.size(),
                         fields.size()));
    }
    if (jobs.size() == most_jobs) {
      refuse(where, job.line, fmt::format("expected {} jobs at most", most_jobs));
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!fields[i].empty()) add(job, header[i], std::move(fields[i]), where);
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

}  // namespace

std::vector<Job> parse_job_list(std::string_view text, const std::string& where) {
  if (text.size() > most_job_bytes) {
    throw Error(
        fmt::format("{}: expected a job list of {} MB at most", where, most_job_bytes >> 20U));
  }
  constexpr std::string_view mark = "\xEF\xBB\xBF";  // that spreadsheets put before their text
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    throw Error(fmt::format("{}: expected a job list, found an empty file", where));
  }
  std::vector<Job> jobs = text[first] == '{' ? json_jobs(text, where) : csv_jobs(text, where);
  if (jobs.empty())
    throw Error(fmt::format("{}: expected jobs below the header, found none", where));
  return jobs;
}

}  // namespace mambo
