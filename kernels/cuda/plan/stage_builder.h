// Lays out one stage: where in a CTA's shared memory its vectors stand, and which weights and
// states fit beside them. What the three plans share.
#pragma once

#include <functional>
#include <string>

#include "kernels/cuda/plan/candidate.h"

namespace mambo::cuda {

class StageBuilder {
 public:
  StageBuilder(const NetworkRecords& net, const DeviceFacts& device, const StepFacts& facts,
               int streams = 1);

  // Set before anything is laid out: which layers, how many CTAs, how they split products.
  StagePlan stage;

  bool fits() const { return stage.shared_bytes <= limit_; }
  std::string too_big() const;  // the sentence; empty: it fits

  // The vectors that every CTA needs which runs layers [begin, end).
  void vectors(int begin, int end);
  // Copies of the skips and pooling buffers of tiers [first, ...): every member of a group keeps
  // them.
  void pool_copies(int first);
  // What the pipeline hands to the group inside and gets back, by turns in two places.
  void handover(std::uint32_t& place) { place = take(2 * pool_bytes(0)); }
  // A resident stage of so many layers; `joins`: its last is the last of tier 0's down layers.
  void resident_stage(int layers, bool joins, bool is_first, bool is_last);
  // Weights and states of layers [begin, end), of all pools and (outermost) of embedding and head,
  // most often used first, as long as there is room. What finds none is read from global memory.
  void weights(int begin, int end, bool outermost);

  // Steps of a tier per sample.
  double rate_of(int tier) const;

 private:
  std::uint32_t take(std::size_t bytes);
  void want(std::uint32_t& place, std::size_t bytes, double rate);
  void want_embed();
  void want_projections(const LayerDev& layer, Resident& place, double rate);
  std::size_t pool_bytes(int tier) const;

  const NetworkRecords& net_;
  const StepFacts& facts_;
  std::size_t limit_;
  std::size_t streams_;
};

PlanCandidate unsuited(std::string why_not);
// What kernels of this network are compiled for.
Blocks blocks_of(const NetworkRecords& net);
// Channel tiles of the narrowest of layers [begin, end): CTAs of a group at most, since each must
// own channels of every layer (exchange.cuh).
int fewest_tiles(const NetworkRecords& net, int begin, int end);
// As many CTAs, `most` at most, as share out all of layers [begin, end) by whole pairs of columns;
// 0: fewer than half as many.
int column_members(const NetworkRecords& net, const StepFacts& facts, int begin, int end, int most);
// Splitting the rows of x_proj costs one more exchange; not splitting them, the whole of x_proj in
// each CTA.
bool should_split_dbc(const NetworkRecords& net, int members);
// Why the CTAs of a group cannot play it; empty: they can. They keep step by what they exchange in
// layers (exchange.cuh), so each tier needs one.
std::string layers_missing(const NetworkRecords& net);
// A group of `members` that plays everything. Check too_big().
StageBuilder group_stage(const NetworkRecords& net, const DeviceFacts& device,
                         const StepFacts& facts, int members, bool columns = false);
// Microseconds per sample of such a group, by those of an exchange.
double group_estimate(const NetworkRecords& net, const StageBuilder& group, double exchange_us);

// What streams from the L2 takes, in microseconds.
constexpr double streamed_us(double bytes) { return bytes / 80e3; }

}  // namespace mambo::cuda
