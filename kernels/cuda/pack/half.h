// fp16 on the host, as weights are stored.
#pragma once

#include <cuda_fp16.h>

#include <algorithm>
#include <vector>

namespace mambo::cuda {

// Rounded to nearest; what is beyond fp16's range becomes its largest number.
inline std::vector<__half> to_halves(const std::vector<float>& v) {
  std::vector<__half> h(v.size());
  std::transform(v.begin(), v.end(), h.begin(),
                 [](float x) { return __float2half_rn(std::clamp(x, -65504.0F, 65504.0F)); });
  return h;
}

}  // namespace mambo::cuda
