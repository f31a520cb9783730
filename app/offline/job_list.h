// A list of renderings, one per line: JSON objects or, with a header, CSV (RFC 4180). The text may
// come from a stranger; what the words mean, and which values they may have, is the reader's to
// say.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mambo {

struct Job {
  int line = 0;  // in the file, from 1
  // Each key once. A number or truth value is as JSON writes it; what is null, or an
  // empty field of a CSV, is not there.
  std::vector<std::pair<std::string, std::string>> values;
};

// Throws Error "where, line N: ...". At most 64 MB and 100,000 jobs; cost linear in the text.
std::vector<Job> parse_job_list(std::string_view text, const std::string& where);

inline constexpr std::size_t most_job_bytes = std::size_t{64} << 20U;
inline constexpr std::size_t most_line_bytes = std::size_t{64} << 10U;  // of JSON
inline constexpr std::size_t most_jobs = 100000;

}  // namespace mambo
