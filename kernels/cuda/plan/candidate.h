// What planning decides: plain data, made without a device, so that it is tested without one.
// plan_single(), plan_cluster() and plan_grid() lay one plan out each; choose.cu asks the driver
// whether it can run and takes the fastest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/pack/device_network.h"
#include "kernels/cuda/runtime/devices.h"
#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

enum class Shape : std::uint8_t { single, cluster, grid };

// What planning must know of the step kernels, whose headers only nvcc reads: step_facts()
// (choose.cu) takes it from them. Sizes are in bytes.
struct StepFacts {
  int warps = 0;      // of a CTA that shares a stream with others
  int max_vocab = 0;  // of a resident stage
  std::size_t bars = 0, layer_run = 0, tier_run = 0, cursor = 0;
  std::size_t warp_sums = 0;  // per warp
  // The places for partial sums of an all-reduce: x_proj's, out_proj's.
  struct Columns {
    int pairs = 0, rows_dbc = 0, rows_x = 0;
  } columns;
  // The one shape that a resident stage is compiled for, and what it keeps in shared memory.
  struct Resident {
    int width = 0, inner = 0, states = 0, rank = 0, dbc_rows = 0, max_layers = 0;
    std::size_t shared = 0, layer = 0, table = 0;  // its vectors, a layer, embedding or head
  } resident;
};
StepFacts step_facts();

// One kind of CTA: ranks first_rank ... first_rank + members - 1 of the plan.
struct StagePlan {
  Role role{};
  std::vector<Resident> places;  // [layers]: what stands in shared memory
  std::size_t shared_bytes = 0;  // used
  bool all_resident = true;      // its layers' weights and state are in shared memory
  std::size_t streamed = 0;      // bytes of weights and state per sample from outside, on average
};

struct KernelId {
  Shape shape = Shape::single;
  int together = 1;  // streams per CTA; single only
  WeightStorage storage = WeightStorage::half;
  Blocks blocks;
  // Cluster only: see cluster_kernel().
  RoleKind group = RoleKind::rows;
  std::optional<Mixer> stages = std::nullopt;
};

// A grid's all-gather: LL words in global memory, a place for each kind of exchange.
struct LlPlan {
  std::uint32_t at[kMessages] = {};
  std::size_t words = 0;                 // of one copy
  std::uint32_t exchanges_per_step = 0;  // at most
};

struct PlanCandidate {
  std::string why_not;  // one sentence: why this plan cannot be; all else is then unset
  KernelId kernel;
  std::vector<StagePlan> stages;  // in order of rank
  int ctas = 1;
  int links = 0;                 // stages of the pipeline; 0: there is none
  std::size_t shared_bytes = 0;  // per CTA
  double estimate_us = 0;  // per sample, by a simple model of the floors (docs/lab/performance.md)
  LlPlan ll;               // grid only

  explicit operator bool() const { return why_not.empty(); }
  std::string text()
      const;  // "a pipeline of 2 SMs and a column-parallel group of 8 beside it, one cluster"
};

// One CTA plays `together` streams.
PlanCandidate plan_single(const NetworkRecords& net, const DeviceFacts& device,
                          const StepFacts& facts, int together = 1);
// One cluster of at most `most` CTAs: a pipeline of resident stages beside a group for the tiers
// inside, or one group for everything.
PlanCandidate plan_cluster(const NetworkRecords& net, const DeviceFacts& device,
                           const StepFacts& facts, int most);
// At most `most` CTAs, anywhere on the device, which must run at the same time.
PlanCandidate plan_grid(const NetworkRecords& net, const DeviceFacts& device,
                        const StepFacts& facts, int most);

}  // namespace mambo::cuda
