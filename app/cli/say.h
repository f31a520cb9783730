// What a command prints. Nothing here throws because the other end is gone.
//
// Standard error: what cannot be written is lost, and the command goes on; a terminal that was
// closed must not cost the work. Standard output: the first failure is remembered, and the program
// ends with an error for it (flushed_output); if its reader has gone (EPIPE), what follows has
// no reader, and the command ends as after Ctrl-C.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <utility>

namespace mambo {

// Before anything is opened: where standard input, output or error is closed, a file would get its
// number, and what is printed would go into that file. Writing to one that was closed fails.
void hold_standard_streams();

void write_error(std::string_view text);   // at once
void write_output(std::string_view text);  // buffered as stdout is
// Empties the buffer. 0, or the errno of the first failure since the program began.
int flush_output();

// To standard error.
template <class... T>
void say(fmt::format_string<T...> format, T&&... values) {
  write_error(fmt::format(format, std::forward<T>(values)...));
}

// To standard output.
template <class... T>
void put(fmt::format_string<T...> format, T&&... values) {
  write_output(fmt::format(format, std::forward<T>(values)...));
}

// What --json prints: an object as one line of text, with the line's end. Names of files may be no
// UTF-8: a replaced character beats no output.
std::string json_line(const nlohmann::ordered_json& json);

}  // namespace mambo
