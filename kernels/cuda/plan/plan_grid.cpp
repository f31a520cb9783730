// Many CTAs play one stream, wherever they run: for models whose weights need more than a cluster's
// shared memory, on devices with or without clusters.
#include <algorithm>
#include <utility>

#include "kernels/cuda/plan/stage_builder.h"

namespace mambo::cuda {
namespace {

constexpr double kExchangeUs = 1.2;

LlPlan ll_plan(const NetworkRecords& net, const Layout& o) {
  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  std::size_t up = 0;
  for (const TierDev& t : net.tiers) up = std::max(up, size(t.pool * t.wp));
  const std::size_t act = size(o.act_stride) / 4;
  // In the order of exchange.cuh's kinds; a word carries 8 bytes of data.
  const std::size_t sizes[kMessages] = {
      act,    size(o.dbc_stride) / 2, act, size(o.x_stride) / 2, size(o.x_stride) / 2,
      up / 2, size(net.view.vp) / 2};
  LlPlan ll;
  for (int i = 0; i < kMessages; ++i) {
    ll.at[i] = static_cast<std::uint32_t>(ll.words);
    ll.words += (sizes[i] + 7) / 8 * 8;
  }
  ll.exchanges_per_step = static_cast<std::uint32_t>(net.view.n_layers + 2 * net.view.n_tiers);
  return ll;
}

}  // namespace

PlanCandidate plan_grid(const NetworkRecords& net, const DeviceFacts& device,
                        const StepFacts& facts, int most) {
  if (net.storage != WeightStorage::half)
    return unsuited("float32 weights are played by one SM alone");
  PlanCandidate c;
  c.ctas = std::min(most, fewest_tiles(net, 0, net.view.n_layers));
  if (c.ctas < 2) return unsuited("the model is too narrow for a grid of SMs");
  if (std::string why = layers_missing(net); !why.empty()) return unsuited(std::move(why));
  StageBuilder group = group_stage(net, device, facts, c.ctas);
  if (!group.fits()) return unsuited(group.too_big());

  c.kernel = {Shape::grid, 1, net.storage, blocks_of(net)};
  c.shared_bytes = group.stage.shared_bytes;
  c.estimate_us = group_estimate(net, group, kExchangeUs);
  c.ll = ll_plan(net, group.stage.role.layout);
  c.stages.push_back(std::move(group.stage));
  return c;
}

}  // namespace mambo::cuda
