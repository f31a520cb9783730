#include "app/cli/probe_rows.h"

#include <bit>

namespace mambo {

std::uint16_t float_to_half(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7BFFU);  // beyond
  std::uint32_t significand = magnitude;
  std::uint32_t cut = 13;  // bits of the significand that go
  std::uint32_t exponents = 112U << 23U;
  if (magnitude < 0x38800000U) {  // subnormal there: multiples of 2^-24
    const std::uint32_t exponent = magnitude >> 23U;
    cut = exponent < 102U ? 25U : 126U - exponent;
    if (cut > 24U) return static_cast<std::uint16_t>(sign);
    significand = (magnitude & 0x7FFFFFU) | 0x800000U;
    exponents = 0;
  }
  significand -= exponents;
  const std::uint32_t half = 1U << (cut - 1U);
  const std::uint32_t odd = (significand >> cut) & 1U;
  return static_cast<std::uint16_t>(sign | ((significand + half - 1U + odd) >> cut));
}

void RowWriter::put(std::size_t tensor, std::uint64_t first, std::size_t cols, std::uint64_t every,
                    std::span<const float> rows) {
  const std::uint64_t end = first + rows.size() / cols;
  std::uint64_t row = (first + every - 1) / every * every;
  const std::uint64_t place = row / every * cols;  // in values
  if (every > 1) {
    kept_.clear();
    for (; row < end; row += every) {
      const auto of = rows.subspan(static_cast<std::size_t>(row - first) * cols, cols);
      kept_.insert(kept_.end(), of.begin(), of.end());
    }
    rows = kept_;
  }
  if (rows.empty()) return;
  if (dtype_ == DType::f32) {
    writer_.write(tensor, place * sizeof(float), std::as_bytes(rows));
    return;
  }
  rounded_.clear();
  for (const float x : rows) rounded_.push_back(float_to_half(x));
  writer_.write(tensor, place * sizeof(std::uint16_t), std::as_bytes(std::span(rounded_)));
}

}  // namespace mambo
