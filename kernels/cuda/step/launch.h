// What the host hands to a step launch: plain data, made by plan/ and engine.cu.
#pragma once

#include <cstdint>

#include "kernels/cuda/pack/device_network.h"

namespace mambo::cuda {

constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
constexpr int kReplicas = 8;  // of a grid's LL words

// The vectors of a step that CTAs exchange, each with its own mbarrier or LL words.
enum Message : int {
  kU,       // after convolution and silu: what x_proj multiplies
  kDbc,     // the low-rank input of delta, B, C
  kY,       // after scan and gate: what out_proj multiplies
  kX,       // the residual stream
  kPooled,  // x of the next tier, from down_pool
  kSkip,    // the upsampled skip of a group of steps, from up_pool
  kLogits,
  kMessages
};

// One stream's share of a launch.
struct alignas(16) StreamArgs {
  float* state;                // StatePlan
  const std::uint8_t* forced;  // codes to absorb instead of drawing, or null
  std::uint8_t* codes;         // out [steps]; null with `forced`
  float* log_prob;             // out [steps], or null
  float* entropy;              // out [steps], or null
  float* logits;               // out [steps][vocab], or null
  float* tap;                  // out: delta of every layer and step (LayerDev::tap_at), or null
  const float* by_hand;  // what is played by hand (by_hand_table.h); null: as the network says
  float* said;           // out: as tap, of delta before `by_hand`, or null; null without that
  std::uint64_t rng_seed, rng_index;
  float temperature, top_p;
  int top_k;
  float min_p, floor, gate;
};

// A tier's position when the launch begins.
struct TierStart {
  std::uint32_t phase;  // steps gathered in the present group
  std::uint32_t slot;   // step % K
};

// A CTA's shared memory: bytes from its start.
struct Layout {
  std::uint32_t bars, layers, tiers, cursors,
      states;          // mbarriers; tables; pointers to the streams' states
  std::uint32_t args;  // copies of the CTA's streams' StreamArgs: host memory is far
  std::uint32_t x, pooled, u, y, dbc, dbc_other, own_u, own_gate, warp_sums, logits, codes;
  std::uint32_t x_half, partial_dbc, partial_x;  // flat models and splits by columns, or kNowhere
  // Copies of the state's, or kNowhere: used in place.
  std::uint32_t pool_buffer[kMaxTiers], skip[kMaxTiers];
  std::uint32_t inbox;  // of the group beside a pipeline: [2][pool][wp] of tier 0
  int x_stride, act_stride, dbc_stride, own_stride;  // between streams, elements
};

// What of a layer is in shared memory; kNowhere: read from global memory.
struct Resident {
  std::uint32_t in_proj, x_proj, out_proj, records, h, conv;
};

// What a CTA does.
enum class RoleKind : std::uint8_t {
  rows,          // splits products by rows, beside a pipeline or alone
  columns,       // splits x_proj and out_proj by columns, beside a pipeline
  flat_columns,  // … all layers of a model of one tier
  stage          // of the pipeline (stage_resident.cuh)
};

constexpr bool by_columns(RoleKind kind) {
  return kind == RoleKind::columns || kind == RoleKind::flat_columns;
}

// One kind of CTA: which layers it runs and with how many others it shares them.
struct Role {
  RoleKind kind;
  Layout layout;
  const Resident* resident;                                // [layers]
  std::uint32_t down_pool[kMaxTiers], up_pool[kMaxTiers];  // in shared memory, or kNowhere
  std::uint32_t embed, head;
  int first_rank, members;  // ranks first .. first + members - 1
  int begin, end;           // a stage's layers, counted among those of tier 0 in data-flow order
  int split_dbc;            // x_proj's rows are split, too, at the cost of one more exchange
};

constexpr int kMaxRoles = 17;  // at most 16 stages and a group

struct Launch {
  NetDev net;
  const Role* roles;
  int n_roles;
  int stages;  // of the pipeline; 0: there is none
  int steps;
  int drawing;  // 0: absorbs forced codes
  const StreamArgs* streams;
  TierStart tiers[kMaxTiers];
  // Grid only: LL words (exchange_grid.cuh).
  uint4* ll_words;
  std::uint32_t ll_words_per_replica;
  std::uint32_t ll_at[kMessages];
  std::uint32_t seq;
};

}  // namespace mambo::cuda
