// A borrowed tensor and its element types. Row-major everywhere; sizes are in elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mambo {

enum class DType : std::uint8_t { f32, f16, bf16, u8 };

constexpr std::size_t dtype_size(DType t) {
  switch (t) {
    case DType::f32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}
const char* dtype_name(DType t);  // "F32", "F16", "BF16", "U8": the names of safetensors

// The owner of the bytes outlives the view. Data may be unaligned (a mapped file promises nothing),
// so it is read through to_float only. rows x cols; a vector has rows == 1.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  explicit operator bool() const { return data != nullptr; }
  std::int64_t size() const { return rows * cols; }
};

// Decodes all elements, row-major, to out[size()]. F32 is copied bit for bit.
void to_float(const TensorView& t, float* out);
std::vector<float> to_float(const TensorView& t);

}  // namespace mambo
