#include "dsp/mulaw.h"

namespace mambo {

std::array<float, 256> mulaw_table() {
  std::array<float, 256> t{};
  for (int i = 0; i < 256; ++i)
    t[static_cast<std::size_t>(i)] = mulaw_decode(static_cast<std::uint8_t>(i));
  return t;
}

std::array<float, 256> linear8_table() {
  std::array<float, 256> t{};
  for (int i = 0; i < 256; ++i)
    t[static_cast<std::size_t>(i)] = linear8_decode(static_cast<std::uint8_t>(i));
  return t;
}

}  // namespace mambo
