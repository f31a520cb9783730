#include "kernels/cpu/linear.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace mambo::cpu {
namespace {

Linear make_linear(int rows, int cols, WeightStorage storage,
                   const std::function<float(int, int)>& at) {
  Linear l;
  l.packed = pack(rows, cols, storage, at);
  const std::vector<float> dense = unpack(l.packed);
  const auto columns = static_cast<std::size_t>(l.packed.cols);
  l.panels = pack(l.packed.rows, l.packed.cols, WeightStorage::f32, [&](int r, int c) {
    return dense[static_cast<std::size_t>(r) * columns + static_cast<std::size_t>(c)];
  });
  l.bias = AlignedBuffer<float>(static_cast<std::size_t>(l.packed.rows));
  return l;
}

// Rows and columns come in segments of `from` real elements, each padded to `to`; -1 for padding.
int unpadded(int i, int from, int to) { return i % to < from ? i / to * from + i % to : -1; }

}  // namespace

Linear make_linear(const TensorView& w, const TensorView& bias, Segments rows, int row_count,
                   Segments cols, int col_count, WeightStorage storage) {
  const std::vector<float> v = to_float(w);
  Linear l = make_linear(row_count, col_count, storage, [&](int r, int c) {
    const int i = unpadded(r, rows.from, rows.to);
    const int j = unpadded(c, cols.from, cols.to);
    return i < 0 || j < 0 ? 0.0F
                          : v[static_cast<std::size_t>(i) * static_cast<std::size_t>(w.cols) + j];
  });
  if (bias) {
    const std::vector<float> b = to_float(bias);
    for (int r = 0; r < row_count; ++r) {
      const int i = unpadded(r, rows.from, rows.to);
      if (i >= 0) l.bias[static_cast<std::size_t>(r)] = b[static_cast<std::size_t>(i)];
    }
  }
  return l;
}

AlignedBuffer<float> padded_vector(const TensorView& t, int padded) {
  AlignedBuffer<float> out(static_cast<std::size_t>(padded));
  if (t) {
    const std::vector<float> v = to_float(t);
    std::copy(v.begin(), v.end(), out.data());
  }
  return out;
}

}  // namespace mambo::cpu
