// Rows of a probe on their way into its file: some of them left out, and rounded to 16 bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/tensor_view.h"
#include "model/tensor_file.h"

namespace mambo {

// The nearest float16, ties to even; what is beyond its range, the last value in it (65504).
std::uint16_t float_to_half(float x);

class RowWriter {
 public:
  RowWriter(TensorWriter& writer, DType dtype) : writer_(writer), dtype_(dtype) {}

  // Rows first, first + 1, ... of `cols` values; of these, those whose number is a multiple of
  // `every` become rows number / every of the tensor. Throws Error (full disk).
  void put(std::size_t tensor, std::uint64_t first, std::size_t cols, std::uint64_t every,
           std::span<const float> rows);

 private:
  TensorWriter& writer_;
  DType dtype_;
  std::vector<float> kept_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace mambo
