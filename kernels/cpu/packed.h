// Weights as the step kernels stream them: matrices cut into blocks of 16 rows, up to four blocks
// side by side, so that one pass over the columns reads memory strictly forward.
//
// half storage: one 32-bit word holds two columns of a row as bf16. The column in the upper half is
// used as a float without masking the lower half away (one instruction saved of five); so it is
// rounded *together with* what stands below it: the error stays that of bf16, half a unit in its
// last place.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/engine.h"

namespace mambo::cpu {

inline constexpr int kBlock = 16;
constexpr int round_up(int n, int to = kBlock) { return (n + to - 1) / to * to; }

template <class T>
class AlignedBuffer {  // zero-filled, 64-byte aligned (128 in fact), move-only
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t n) : data_(hwy::AllocateAligned<T>(n + kPad)), size_(n) {
    if (data_ == nullptr)
      throw Error("out of memory: could not allocate " + std::to_string(n * sizeof(T)) + " bytes");
    for (std::size_t i = 0; i < n + kPad; ++i) data_[i] = T{};
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }

 private:
  static constexpr std::size_t kPad = 64;  // kernels may read, never use, a vector past the end
  hwy::AlignedFreeUniquePtr<T[]> data_;
  std::size_t size_ = 0;
};

struct PackedMatrix {
  int rows = 0;  // a multiple of 16; rows added for padding are zero
  int cols = 0;  // even in half storage
  WeightStorage storage = WeightStorage::half;
  AlignedBuffer<std::uint32_t> half;  // [groups][cols/2][blocks of the group][16]
  AlignedBuffer<float> full;          // [groups][cols][blocks of the group][16]
  std::size_t bytes() const { return half.size() * 4 + full.size() * 4; }
};

// at(r, c) gives the weight, 0 for padding.
PackedMatrix pack(int rows, int cols, WeightStorage storage,
                  const std::function<float(int, int)>& at);
// The weights that the kernels in effect use, row-major [rows][cols]: what prefill multiplies with,
// so that prefill and step run the very same network.
std::vector<float> unpack(const PackedMatrix& m);

}  // namespace mambo::cpu
