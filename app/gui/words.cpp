#include "app/gui/words.h"

#include <algorithm>
#include <cmath>

namespace mambo::gui {

Words number_words(double value) {
  const double a = std::fabs(value);
  if (a != 0 && (a < 1e-4 || a >= 1e5)) {  // "1.23e-6"
    const int exponent = static_cast<int>(std::floor(std::log10(a)));
    return Words("{:.2f}e{}", value / std::pow(10.0, exponent), exponent);
  }
  if (a >= 100) return Words("{:.0f}", value);
  if (a >= 10) return Words("{:.1f}", value);
  if (a >= 1) return Words("{:.2f}", value);
  if (a >= 0.1) return Words("{:.3f}", value);
  if (a >= 0.01) return Words("{:.4f}", value);
  return Words("{:.5f}", value);
}

Words seconds_words(double seconds) {
  if (!std::isfinite(seconds)) return Words("\u221E");
  const double a = std::fabs(seconds);
  const auto with = [](double v, const char* unit) {
    const int decimals = v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
    return Words("{:.{}f} {}", v, decimals, unit);
  };
  if (a < 1e-3) return with(seconds * 1e6, "\u00B5s");
  if (a < 0.9995) return with(seconds * 1e3, "ms");
  if (a < 1e4) return with(seconds, "s");
  return Words("{:.1e} s", seconds);
}

Words rounded_words(double value) {
  if (value >= 0.001) return Words("{:.{}g}", value, value >= 100 ? 3 : 2);
  const int exponent = static_cast<int>(std::floor(std::log10(value)));
  return Words("{:.0f}e{}", value / std::pow(10.0, exponent), exponent);
}

Words rounded_seconds_words(double seconds) {
  const auto with = [](double v, const char* unit) {
    return Words("{:.{}g} {}", v, v >= 99.5 ? 3 : 2, unit);
  };
  if (seconds < 0.9995e-3) return with(seconds * 1e6, "\u00B5s");
  if (seconds < 0.9995) return with(seconds * 1e3, "ms");
  if (seconds < 1e4) return with(seconds, "s");
  return Words("{:.0e} s", seconds);
}

Words time_words(double seconds, double step) {
  const int decimals =
      step >= 1 ? 0 : std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-6)), 1, 6);
  if (std::fabs(seconds) < step * 1e-3) seconds = 0;
  const char* sign = seconds < 0 ? "\u2212" : "";
  return Words("{}{:.{}f} s", sign, std::fabs(seconds), decimals);
}

Words hertz_words(double hz) {
  if (hz >= 1000) return Words("{:.4g} kHz", hz / 1000);
  return Words("{:.4g} Hz", hz);
}

}  // namespace mambo::gui
