#include "model/message.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>

namespace mambo {

namespace {

// Bytes of the UTF-8 character that begins `text`; 0: none does (RFC 3629).
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes > text.size()) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : bytes;
}

// What moves the cursor, colours, or turns the reading direction around instead of being shown.
bool commands(std::string_view c) {
  const auto first = static_cast<unsigned char>(c[0]);
  if (c.size() == 1) return first < 0x20 || first == 0x7F;
  const auto second = static_cast<unsigned char>(c[1]);
  if (c.size() == 2) return first == 0xC2 && second < 0xA0;  // C1
  const auto third = static_cast<unsigned char>(c[2]);
  if (c.size() != 3 || first != 0xE2) return false;
  if (second == 0x80) return third >= 0xA8 && third <= 0xAE;  // U+2028 to 202E
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;    // U+2066 to 2069
}

}  // namespace

std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = character(text);
    const std::string_view c = text.substr(0, std::max<std::size_t>(bytes, 1));
    if (out.size() + c.size() > max) return out + "...";
    if (bytes == 0 || commands(c)) {
      out += '?';
    } else {
      out += c;
    }
    text.remove_prefix(c.size());
  }
  return out;
}

std::string said_by(const std::exception& e) {
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    return "there is not enough memory for this";
  }
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&e)) {
    return file->path1().string() + ": " + file->code().message();
  }
  const auto* system = dynamic_cast<const std::system_error*>(&e);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again) {
    return "another thread could not be started: a limit of processes or of memory is reached "
           "(ulimit -u, ulimit -v)";
  }
  return e.what();
}

std::string grouped(std::uint64_t n) {
  const std::string digits = std::to_string(n);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t d : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(d);
  }
  return out + "]";
}

}  // namespace mambo
