// The weights as prefill wants them on the device: widths padded to 32 (StatePlan), states to what
// the scan works through, zeros where there is nothing; matrices in the storage's type, all else
// float32. Norms are not folded into the matrices: fp16 would round the products.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/memory.h"
#include "kernels/params.h"

namespace mambo::cuda {

// Row-major [rows][columns], float or __half.
struct PrefillMatrix {
  const std::byte* data = nullptr;
  int rows = 0, columns = 0;
};

struct PrefillLayer {
  int tier = 0, width = 0, d_inner = 0, wp = 0, dp = 0, R = 0;
  PrefillMatrix in_proj;             // [2 dp][wp]: u rows, then z rows
  PrefillMatrix x_proj;              // [2 states + R, padded][dp]: B, C, delta
  PrefillMatrix out_proj;            // [wp][dp]
  const float* norm = nullptr;       // [wp]
  const float* in_bias = nullptr;    // [2 dp], or null
  const float* conv = nullptr;       // [K][dp]
  const float* conv_bias = nullptr;  // [dp]
  const float* dt = nullptr;         // [R][dp]
  const float* dt_bias = nullptr;    // [dp]
  const float* A = nullptr;          // [states][dp], as the scan wants it
  const float* D = nullptr;          // [dp]
  const float* out_bias = nullptr;   // [wp], or null
};

struct PrefillTier {
  int width = 0, wp = 0, pool = 0, stride = 1;
  int down_begin = 0, down_end = 0, up_begin = 0, up_end = 0;
  PrefillMatrix down_pool, up_pool;  // [wp of the next][pool * wp], [pool * wp][wp of the next]
  const float* down_bias = nullptr;  // [wp of the next]
  const float* up_bias = nullptr;    // [pool * wp]
};

struct PrefillWeights {
  int vocab = 0, vp = 0, N = 0, np = 0, K = 0;
  int states = 0;  // scan_states(N)
  float eps = 0;
  const float* embed = nullptr;      // [V][wp]
  const float* norm_f = nullptr;     // [wp]
  PrefillMatrix head;                // [vp][wp]
  const float* head_bias = nullptr;  // [vp]; -1e30 in the padding
  bool has_head_bias = false;
  std::vector<PrefillLayer> layers;
  std::vector<PrefillTier> tiers;
  DeviceBuffer<std::byte> memory;  // of all of the above

  PrefillWeights(const NetworkView& net, WeightStorage storage);
};

}  // namespace mambo::cuda
