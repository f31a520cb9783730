// A linear map as the CPU kernels want it, and how tensors come to be one.
#pragma once

#include "kernels/cpu/packed.h"
#include "kernels/tensor_view.h"

namespace mambo::cpu {

struct Linear {
  PackedMatrix packed;        // for step
  PackedMatrix panels;        // for prefill, the same values in float32 (gemm.h)
  AlignedBuffer<float> bias;  // [rows], zeros when the network has none

  std::size_t bytes() const { return packed.bytes() + bias.size() * sizeof(float); }
};

// Rows or columns that come in segments of `from` real elements, each padded to `to`.
struct Segments {
  int from, to;
};

// w [rows][cols] and bias [rows] or empty, padded to row_count x col_count with zeros.
Linear make_linear(const TensorView& w, const TensorView& bias, Segments rows, int row_count,
                   Segments cols, int col_count, WeightStorage storage);

// [padded]; zeros behind the tensor's elements, or altogether where it is empty.
AlignedBuffer<float> padded_vector(const TensorView& t, int padded);

}  // namespace mambo::cpu
