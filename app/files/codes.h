// Between sound and the codes a model reads and draws.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace mambo {

std::vector<std::uint8_t> encode(std::span<const float> samples, Encoding encoding);
std::array<float, 256> decode_table(Encoding encoding);

}  // namespace mambo
