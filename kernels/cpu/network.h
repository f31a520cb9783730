// One network as the CPU kernels want it: widths padded to 16, weights packed for streaming and,
// for prefill, float32 of exactly the same values.
#pragma once

#include <variant>
#include <vector>

#include "kernels/cpu/linear.h"
#include "kernels/cpu/mixer_s4d.h"
#include "kernels/cpu/mixer_s6.h"
#include "kernels/network.h"

namespace mambo::cpu {

// The weights of a layer's mixer. pack_mixer, step_mixer (mixer_*-inl.h), project and scan_block
// are overloaded on them.
using MixerWeights = std::variant<S6Weights, S4dWeights>;

struct Layer {
  int tier = 0, width = 0, d_inner = 0;  // as the network states them
  int wp = 0, dp = 0;                    // padded to 16
  int states = 0;                        // per channel
  int state_parts = 1;                   // floats of a state (MixerInfo)
  AlignedBuffer<float> norm;             // [wp]
  Linear in_proj;                        // [2 dp][wp]: u rows, then z rows
  AlignedBuffer<float> conv;             // [K][dp]
  AlignedBuffer<float> conv_bias;        // [dp]
  AlignedBuffer<float> D;                // [dp]
  Linear out_proj;                       // [wp][dp]
  MixerWeights mixer;

  // Rows of 16 floats that the state h of a block of 16 channels has.
  int h_rows() const { return state_parts * states; }
  // Columns of scratch that the mixer computes of its input.
  int projected() const {
    return std::visit([](const auto& m) { return m.projected(); }, mixer);
  }
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
    std::size_t h;     // [dp/16][states][state_parts][16]
  };
  struct PoolPlan {
    std::size_t group, up;  // [pool][wp] each
  };
  std::vector<LayerPlan> layers;
  std::vector<PoolPlan> pools;
  std::size_t logits = 0;
  std::size_t persistent = 0;
  std::vector<std::size_t> x, skip;  // per tier: the residual stream and its copy
  std::size_t xn = 0, uz = 0, u = 0, projected = 0, delta = 0, probs = 0;
  std::size_t size = 0;
  explicit StatePlan(const Network& net);
};

}  // namespace mambo::cpu
