// What a backend is given: shapes and views of the weights of one network, as plain data.
// The mathematics (S6 or S4D blocks inside a causal U-Net) and the names follow Gu & Dao, arXiv
// 2312.00752, Gu et al., arXiv 2206.11893, and Goel et al., arXiv 2202.09729. Row-major everywhere;
// widths and counts are in elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mambo {

enum class DType : std::uint8_t { f32, f16, bf16, u8 };

constexpr std::size_t dtype_size(DType t) {
  switch (t) {
    case DType::f32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}
const char* dtype_name(DType t);  // "F32", "F16", "BF16", "U8": the names of safetensors

// A borrowed tensor; whoever made the view keeps the bytes alive. Data may be unaligned (a mapped
// file promises nothing), so it is read through to_float only. rows x cols; a vector has rows == 1.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  explicit operator bool() const { return data != nullptr; }
  std::int64_t size() const { return rows * cols; }
};

// Decodes all elements, row-major, to out[size()]. F32 is copied bit for bit.
void to_float(const TensorView& t, float* out);
std::vector<float> to_float(const TensorView& t);

// What carries a block's memory. s6: selective, delta, B and C are of the input. s4d:
// time-invariant, diagonal and complex: h = exp(dt A) h + u, y = 2 Re(sum C (exp(dt A) - 1) / A h)
// + D u with A = -exp(A_log) + i A_im and dt = exp(log_dt).
enum class Mixer : std::uint8_t { s6, s4d };
const char* mixer_name(Mixer m);  // "s6", "s4d": the names of the configuration

// One block (docs/model.md's `*`): width d, d_inner = expand*d, N = d_state, K = d_conv, R =
// dt_rank, M complex states. The mixer's own tensors are empty in a block of the other one.
struct BlockView {
  TensorView norm;           // [d]
  TensorView in_proj;        // [2*d_inner, d]: u rows first, then z rows
  TensorView in_proj_bias;   // [2*d_inner], or empty
  TensorView conv;           // [d_inner, K]; column K-1 multiplies the present step
  TensorView conv_bias;      // [d_inner], or empty
  TensorView x_proj;         // s6: [R + 2N, d_inner]: delta, B, C
  TensorView dt_proj;        // s6: [d_inner, R]
  TensorView dt_proj_bias;   // s6: [d_inner]
  TensorView log_dt;         // s4d: [d_inner]
  TensorView A_log;          // s6: [d_inner, N], A = -exp(A_log); s4d: [d_inner, M], Re A
  TensorView A_im;           // s4d: [d_inner, M]
  TensorView C;              // s4d: [d_inner, 2M]: real, imaginary of each state in turn
  TensorView D;              // [d_inner]
  TensorView out_proj;       // [d, d_inner]
  TensorView out_proj_bias;  // [d], or empty
};

enum class Side : std::uint8_t { down, center, up };

// Layers stand in the order in which data flows: down.0.*, down.1.*, ..., center.*, ..., up.0.*.
struct LayerView {
  std::string name;  // as its tensors are named: "down.0.1", "center.2"
  int tier = 0;
  Side side = Side::center;
  Mixer mixer = Mixer::s6;
  int dt_rank = 0;  // s6
  BlockView w;

  // States a channel: N real ones, or M complex ones (which may differ from layer to layer).
  int states() const { return static_cast<int>(w.A_log.cols); }
};

// Tier s steps once for every `stride` samples. The innermost tier has pool == 0 and no pool
// tensors.
struct TierView {
  int width = 0;
  int d_inner = 0;
  int stride = 1;                    // product of pool over the outer tiers
  int pool = 0;                      // steps of this tier that make one step of the next
  TensorView down_pool;              // [width(s+1), pool*width]
  TensorView down_pool_bias;         // [width(s+1)]
  TensorView up_pool;                // [pool*width, width(s+1)], step-major
  TensorView up_pool_bias;           // [pool*width]
  int down_begin = 0, down_end = 0;  // layers [begin, end); the innermost tier's blocks are `down`
  int up_begin = 0, up_end = 0;      // empty in the innermost tier
};

struct NetworkView {
  int vocab = 256;
  int d_state = 16;  // N of the s6 layers
  int d_conv = 4;    // K
  float norm_eps = 1e-5F;
  TensorView embed;               // [V, d]
  TensorView norm_f;              // [d]
  TensorView head;                // [V, d]
  TensorView head_bias;           // [V], or empty
  std::vector<TierView> tiers;    // outermost first
  std::vector<LayerView> layers;  // data-flow order
};

// ---- The streaming state, in the one layout that every backend can read and write -------------
// All float32, in this order:
//   for each layer in data-flow order:  conv [K-1][d_inner]  inputs of the convolution, oldest
//   first
//                                       h    s6:  [d_inner][N]
//                                            s4d: [2][d_inner][M], all real parts, then all
//                                                 imaginary ones
//   for each tier s that pools:         group [pool][width]  tier s outputs gathered so far in the
//                                                            present group; rows not yet filled are
//                                                            0
//                                       up    [pool][width]  what up_pool gave for the present
//                                       group
//   logits [V]                          distribution of the next code
// position (samples absorbed) travels beside it. The zero state is all zeros, logits included.
struct StateLayout {
  struct Layer {
    std::size_t conv, h;
    int d_inner, tier;
    Mixer mixer;
    int states;  // N or M

    std::size_t h_size() const {  // floats
      return static_cast<std::size_t>(d_inner) * states * (mixer == Mixer::s4d ? 2 : 1);
    }
  };
  struct Pool {
    std::size_t group, up;
    int pool, width;
  };
  std::vector<Layer> layers;
  std::vector<Pool> pools;
  std::size_t logits = 0;
  std::size_t size = 0;  // floats in all

  explicit StateLayout(const NetworkView& net);
};

}  // namespace mambo
