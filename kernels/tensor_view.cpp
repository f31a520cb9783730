#include "kernels/tensor_view.h"

#include <bit>
#include <cstring>

namespace mambo {
namespace {

float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16U;
  const std::uint32_t exponent = (h >> 10U) & 0x1FU;
  std::uint32_t mantissa = h & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
  }
  // Subnormal: mantissa * 2^-24, exact in float32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace

const char* dtype_name(DType t) {
  switch (t) {
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::u8:
      return "U8";
  }
  return "?";
}

void to_float(const TensorView& t, float* out) {
  const std::int64_t n = t.size();
  switch (t.dtype) {
    case DType::f32:
      std::memcpy(out, t.data, static_cast<std::size_t>(n) * 4);
      break;
    case DType::f16:
    case DType::bf16:
      for (std::int64_t i = 0; i < n; ++i) {
        std::uint16_t h = 0;
        std::memcpy(&h, t.data + 2 * i, 2);
        out[i] = t.dtype == DType::f16 ? half_to_float(h)
                                       : std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16U);
      }
      break;
    case DType::u8:
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<float>(std::to_integer<int>(t.data[i]));
      break;
  }
}

std::vector<float> to_float(const TensorView& t) {
  std::vector<float> out(static_cast<std::size_t>(t.size()));
  if (t) to_float(t, out.data());
  return out;
}

}  // namespace mambo
