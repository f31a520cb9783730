#include "app/files/codes.h"

#include <algorithm>

#include "dsp/mulaw.h"

namespace mambo {

std::vector<std::uint8_t> encode(std::span<const float> samples, Encoding encoding) {
  std::vector<std::uint8_t> codes(samples.size());
  std::transform(samples.begin(), samples.end(), codes.begin(),
                 encoding == Encoding::mulaw8 ? mulaw_encode : linear8_encode);
  return codes;
}

std::array<float, 256> decode_table(Encoding encoding) {
  std::array<float, 256> table{};
  for (std::size_t code = 0; code < table.size(); ++code) {
    const auto c = static_cast<std::uint8_t>(code);
    table[code] = encoding == Encoding::mulaw8 ? mulaw_decode(c) : linear8_decode(c);
  }
  return table;
}

}  // namespace mambo
