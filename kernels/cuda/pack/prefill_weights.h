// The weights as prefill wants them on the device: widths padded to 32 (StatePlan), states to what
// the scan works through, zeros where there is nothing; matrices in the storage's type, all else
// float32. Norms are not folded into the matrices: fp16 would round the products.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/cuda/runtime/memory.h"
#include "kernels/engine.h"
#include "kernels/network.h"

namespace mambo::cuda {

// Row-major [rows][columns], float or __half.
struct PrefillMatrix {
  const std::byte* data = nullptr;
  int rows = 0, columns = 0;
};

struct PrefillLayer {
  Mixer mixer = Mixer::s6;
  int tier = 0, width = 0, d_inner = 0, wp = 0, dp = 0, R = 0;
  int M = 0;                         // s4d
  PrefillMatrix in_proj;             // [2 dp][wp]: u rows, then z rows
  PrefillMatrix x_proj;              // s6: [2 states + R, padded][dp]: B, C, delta; else empty
  PrefillMatrix out_proj;            // [wp][dp]
  const float* norm = nullptr;       // [wp]
  const float* in_bias = nullptr;    // [2 dp], or null
  const float* conv = nullptr;       // [K][dp]
  const float* conv_bias = nullptr;  // [dp]
  const float* dt = nullptr;         // s6: [R][dp]
  const float* dt_bias = nullptr;    // s6: [dp]
  const float* A = nullptr;          // s6: [states][dp], as the scan wants it
  const float* modes = nullptr;      // s4d: as its scan wants them
  const float* delta = nullptr;      // s4d: [dp], the constant
  const float* D = nullptr;          // [dp]
  const float* out_bias = nullptr;   // [wp], or null
};

struct PrefillTier : TierShape {
  int wp = 0;                        // width padded to 32
  PrefillMatrix down_pool, up_pool;  // [wp of the next][pool * wp], [pool * wp][wp of the next]
  const float* down_bias = nullptr;  // [wp of the next]
  const float* up_bias = nullptr;    // [pool * wp]
};

struct PrefillWeights {
  int vocab = 0, vp = 0, N = 0, np = 0, K = 0;
  int states = 0;  // scan_states(N), of the s6 layers
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
