#include "model/message.h"

namespace mambo {

std::string printable(std::string_view text, std::size_t max) {
  const bool cut = text.size() > max;
  if (cut) {  // not in the middle of a UTF-8 character
    while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0U) == 0x80U) --max;
    text = text.substr(0, max);
  }
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return cut ? out + "..." : out;
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
