// Damages a text; the same sequence on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace mambo::fuzz {

// Numbers at which sizes overflow, and pieces of JSON in place of a value.
inline constexpr std::array numbers = {"0",
                                       "1",
                                       "-1",
                                       "2",
                                       "7",
                                       "65535",
                                       "2147483647",
                                       "2147483648",
                                       "4294967295",
                                       "4294967296",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "1e308",
                                       "1e999",
                                       "0.5",
                                       "-0",
                                       "NaN",
                                       "null",
                                       "[]",
                                       "{}",
                                       "\"8\"",
                                       "[[[[[[[[",
                                       "true"};

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string mutate(std::string text) {
    const std::size_t times = 1 + below(3);
    for (std::size_t i = 0; i < times && !text.empty(); ++i) once(text);
    return text;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  void once(std::string& text) {
    switch (below(7)) {
      case 0:  // a bit
        text[below(text.size())] ^= static_cast<char>(1U << below(8));
        break;
      case 1:  // any byte
        text.insert(below(text.size()), 1, static_cast<char>(below(256)));
        break;
      case 2:  // remove a block
        text.erase(below(text.size()), 1 + below(20));
        break;
      case 3:  // repeat a block
        text.insert(below(text.size()), text.substr(below(text.size()), 1 + below(60)));
        break;
      default:
        replace_number(text);
    }
  }
  void replace_number(std::string& text) {
    constexpr std::string_view digits = "0123456789";
    std::size_t at = text.find_first_of(digits, below(text.size()));
    if (at == std::string::npos) return;
    const std::size_t end = text.find_first_not_of(digits, at);
    text.replace(at, (end == std::string::npos ? text.size() : end) - at,
                 numbers[below(numbers.size())]);
  }

  std::mt19937_64 random_;  // its sequence is fixed by the standard
};

}  // namespace mambo::fuzz
