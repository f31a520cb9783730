// One network as the CPU kernels want it: widths padded to 16, weights packed for streaming and,
// for prefill, float32 of exactly the same values.
#pragma once

#include <vector>

#include "kernels/cpu/packed.h"

namespace mambo::cpu {

struct Linear {
  PackedMatrix packed;        // for step
  PackedMatrix panels;        // for prefill, the same values in float32; or, where BLAS is better,
  std::vector<float> dense;   // row-major [rows][cols] (gemm.h)
  AlignedBuffer<float> bias;  // [rows], zeros when the network has none
};

// Rows of 16 channels that a time-invariant state has: real and imaginary part of decay, then of
// gain (modes.h).
inline constexpr int kMode = 4;

struct Layer {
  Mixer mixer = Mixer::s6;
  int tier = 0, width = 0, d_inner = 0;  // as the network states them
  int wp = 0, dp = 0;                    // padded to 16
  int states = 0;                        // N, or M complex ones
  int rank = 0;                          // R; 0 with s4d
  int xp = 0;                            // rows of x_proj, padded; 0 with s4d
  AlignedBuffer<float> norm;             // [wp]
  Linear in_proj;                        // [2 dp][wp]: u rows, then z rows
  AlignedBuffer<float> conv;             // [K][dp]
  AlignedBuffer<float> conv_bias;        // [dp]
  AlignedBuffer<float> D;                // [dp]
  Linear out_proj;                       // [wp][dp]
  // s6
  Linear x_proj;                    // [xp][dp]: delta, B, C
  Linear dt_proj;                   // [dp][R]
  AlignedBuffer<float> dt_columns;  // [R][dp], the same weights for prefill
  AlignedBuffer<float> A;           // [dp/16][N][16], -exp(A_log) * log2(e)
  // s4d
  AlignedBuffer<float> modes;  // [dp/16][M][kMode][16], zeros where channels are padding
  AlignedBuffer<float> dt;     // [dp], exp(log_dt): what the tap shows

  // Rows of 16 floats that the state h of a block of 16 channels has.
  int h_rows() const { return mixer == Mixer::s4d ? 2 * states : states; }
};

struct Tier : TierShape {
  int wp = 0;        // width padded to 16
  Linear down_pool;  // [wp of the next][pool * wp]
  Linear up_pool;    // [pool * wp][wp of the next]
};

struct Network {
  int vocab = 0, vp = 0, N = 0, K = 0;
  float eps = 0;
  AlignedBuffer<float> embed;  // [V][wp]
  AlignedBuffer<float> norm_f;
  Linear head;  // [vp][wp]
  std::vector<Layer> layers;
  std::vector<Tier> tiers;
  std::size_t weight_bytes = 0;  // packed: what a step streams at most
  WeightStorage storage = WeightStorage::half;

  Network(const NetworkView& view, WeightStorage storage);
};

// Where one stream's memory is, in floats from the start of its buffer. What comes before
// `persistent` is the stream; the rest is scratch of the step.
struct StatePlan {
  struct LayerPlan {
    std::size_t conv;  // [K][dp], a ring: step i of the tier stands in row i % K
    std::size_t h;     // [dp/16][N][16]; s4d: [dp/16][M][real, imaginary][16]
  };
  struct PoolPlan {
    std::size_t group, up;  // [pool][wp] each
  };
  std::vector<LayerPlan> layers;
  std::vector<PoolPlan> pools;
  std::size_t logits = 0;
  std::size_t persistent = 0;
  std::vector<std::size_t> x, skip;  // a tier's residual stream and its copy
  std::size_t xn = 0, uz = 0, u = 0, dbc = 0, delta = 0, probs = 0;
  std::size_t size = 0;
  explicit StatePlan(const Network& net);
};

}  // namespace mambo::cpu
