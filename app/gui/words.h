// Numbers with units in readable form; built in place, without allocation.
#pragma once

#include <fmt/core.h>

#include <array>
#include <utility>

namespace mambo::gui {

// A short formatted text, truncated to its capacity.
class Words {
 public:
  Words() = default;
  template <class... Args>
  explicit Words(fmt::format_string<Args...> format, Args&&... args) {
    const auto r =
        fmt::format_to_n(text_.data(), text_.size() - 1, format, std::forward<Args>(args)...);
    *r.out = '\0';
  }
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 320> text_{};
};

Words seconds_words(double seconds);            // "12.3 µs", "4.56 ms", "1.23 s", "∞"
Words number_words(double value);               // three significant digits: "0.0123", "1.23e-6"
Words rounded_words(double value);              // for the end of a scale: "0.32", "3e-5"
Words rounded_seconds_words(double seconds);    // likewise: "32 ms"
Words time_words(double seconds, double step);  // a time on an axis whose ticks are step apart
Words hertz_words(double hz);                   // "62.5 Hz", "16 kHz"
}  // namespace mambo::gui
