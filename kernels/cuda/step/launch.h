// What a streaming launch is told: plain data, made by plan.cu and backend_cuda.cu.
#pragma once

#include <cstdint>

#include "kernels/cuda/pack/device_network.h"

namespace mambo::cuda {

constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
constexpr int kMailCopies = 8;
constexpr int kMailKinds = 7;  // as many as exchange.cuh has kinds

// One stream's share of a launch.
struct alignas(16) StreamArgs {
  float* state;                // StatePlan
  const std::uint8_t* forced;  // codes to absorb instead of drawing, or null
  std::uint8_t* codes;         // out [steps]; null with `forced`
  float* log_prob;             // out [steps], or null
  float* entropy;              // out [steps], or null
  float* logits;               // out [steps][vocab], or null
  float* tap;                  // out: delta of every layer and step (LayerDev::tap_at), or null
  std::uint64_t rng_seed, rng_index;
  float temperature, top_p;
  int top_k;
};

// Where a tier stands when the launch begins.
struct TierStart {
  std::uint32_t phase;  // steps gathered in the present group
  std::uint32_t slot;   // step % K
};

// Where a CTA keeps things in its shared memory: bytes from its start.
struct Layout {
  std::uint32_t bars, layers, tiers, cursors,
      states;          // mbarriers; tables; pointers to the streams' states
  std::uint32_t args;  // of the CTA's streams: host memory is far away
  std::uint32_t x, xq, u, y, dbc, dbc_next, uf, zf, part, logits, codes;
  std::uint32_t xh, parts_d, parts_x;  // of flat models and teams (worker.cuh); kNowhere: none
  std::uint32_t group[kMaxTiers], up[kMaxTiers];  // copies of the state's; kNowhere: used in place
  std::uint32_t inbox;                            // a chain's inner group: [2][pool][wp] of tier 0
  std::uint32_t total;
  int x_stride, act_stride, dbc_stride, own_stride;  // between streams, elements
};

// What of a layer stands in shared memory; kNowhere: read where it is.
struct Resident {
  std::uint32_t in_proj, x_proj, out_proj, unit, h, conv;
};

// What a CTA does.
enum class RoleKind : std::uint8_t {
  rows,          // shares products by rows, beside a pipeline or alone
  columns,       // shares x_proj and out_proj by columns, beside a pipeline
  flat_columns,  // … all layers of a model of one tier
  stage          // of the pipeline (stage_resident.cuh)
};

constexpr bool by_columns(RoleKind kind) {
  return kind == RoleKind::columns || kind == RoleKind::flat_columns;
}

// One kind of CTA: which layers it runs and with how many it shares them.
struct Role {
  RoleKind kind;
  Layout layout;
  const Resident* resident;                                // [layers]
  std::uint32_t down_pool[kMaxTiers], up_pool[kMaxTiers];  // in shared memory, or kNowhere
  std::uint32_t embed, head;
  int first_rank, members;  // ranks first .. first + members - 1
  int begin, end;           // a link's layers, counted among those of tier 0 in data-flow order
  int split_dbc;            // dbc's rows are shared out, too
};

constexpr int kMaxRoles = 17;  // at most 16 links and an inner group

struct Launch {
  NetDev net;
  const Role* roles;
  int n_roles;
  int links;  // of a chain; 0: no chain
  int steps;
  int drawing;  // 0: absorbs forced codes
  const StreamArgs* streams;
  TierStart tiers[kMaxTiers];
  // Grid only.
  uint4* mail;
  std::uint32_t mail_words;  // of one copy
  std::uint32_t mail_at[kMailKinds];
  std::uint32_t seq;
};

}  // namespace mambo::cuda
