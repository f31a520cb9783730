// The weights as prefill wants them on the device: widths padded to 32 (StatePlan), states to what
// the scan works through, zeros where there is nothing; matrices in the storage's type, all else
// float32. Norms are not folded into the matrices: fp16 would round the products.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "kernels/cuda/prefill/mixer_s4d.h"
#include "kernels/cuda/prefill/mixer_s6.h"
#include "kernels/cuda/prefill/prefill_matrix.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/engine.h"
#include "kernels/network.h"

namespace mambo::cuda {

// The weights of a layer's mixer; alternative i has id i, as in MixerView.
using PrefillMixerWeights = std::variant<PrefillS6, PrefillS4d>;

struct PrefillLayer {
  int tier = 0, width = 0, d_inner = 0, wp = 0, dp = 0;
  PrefillMatrix in_proj;             // [2 dp][wp]: u rows, then z rows
  PrefillMatrix out_proj;            // [wp][dp]
  const float* norm = nullptr;       // [wp]
  const float* in_bias = nullptr;    // [2 dp], or null
  const float* conv = nullptr;       // [K][dp]
  const float* conv_bias = nullptr;  // [dp]
  const float* D = nullptr;          // [dp]
  const float* out_bias = nullptr;   // [wp], or null
  PrefillMixerWeights mixer;
};

struct PrefillTier : TierShape {
  int wp = 0;                        // width padded to 32
  PrefillMatrix down_pool, up_pool;  // [wp of the next][pool * wp], [pool * wp][wp of the next]
  const float* down_bias = nullptr;  // [wp of the next]
  const float* up_bias = nullptr;    // [pool * wp]
};

struct PrefillWeights {
  int vocab = 0, vp = 0, K = 0;
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
