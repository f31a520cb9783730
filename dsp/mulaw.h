// Audio as 8-bit codes: mu-law with 255 levels of companding (ITU-T G.711's curve, in the
// continuous form that waveform models use), and plain linear. Pure functions, any thread.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace mambo {

// x in [-1, 1] (clamped) -> 0..255. Silence is 128.
inline std::uint8_t mulaw_encode(float x) {
  const double c = x < -1.0F ? -1.0 : (x > 1.0F ? 1.0 : static_cast<double>(x));
  const double y = std::copysign(std::log1p(255.0 * std::fabs(c)) / std::log(256.0), c);
  return static_cast<std::uint8_t>(std::floor((y + 1.0) / 2.0 * 255.0 + 0.5));
}

inline float mulaw_decode(std::uint8_t code) {
  const double y = 2.0 * code / 255.0 - 1.0;
  return static_cast<float>(std::copysign((std::pow(256.0, std::fabs(y)) - 1.0) / 255.0, y));
}

inline std::uint8_t linear8_encode(float x) {
  const double c = x < -1.0F ? -1.0 : (x > 1.0F ? 1.0 : static_cast<double>(x));
  return static_cast<std::uint8_t>(std::floor((c + 1.0) / 2.0 * 255.0 + 0.5));
}

inline float linear8_decode(std::uint8_t code) {
  return static_cast<float>(2.0 * code / 255.0 - 1.0);
}

// All 256 values, for loops that decode sample by sample.
std::array<float, 256> mulaw_table();
std::array<float, 256> linear8_table();

}  // namespace mambo
