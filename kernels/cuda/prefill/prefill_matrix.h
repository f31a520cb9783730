// A matrix as prefill's products read it, on the device.
#pragma once

#include <cstddef>

namespace mambo::cuda {

// Row-major [rows][columns], float or __half.
struct PrefillMatrix {
  const std::byte* data = nullptr;
  int rows = 0, columns = 0;
};

}  // namespace mambo::cuda
