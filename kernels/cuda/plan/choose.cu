// Where planning meets the driver: which of the candidates it lets run, and which is the fastest.
#include <algorithm>
#include <utility>

#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/step/layer_run.cuh"
#include "kernels/cuda/step/pipeline.cuh"
#include "kernels/cuda/step/resident_layout.cuh"

namespace mambo::cuda {
namespace {

using Plan = std::unique_ptr<StepPlan>;

PlanCandidate needed(PlanCandidate c) {
  if (!c) throw PlanUnsuited(c.why_not);
  return c;
}

StepKernels kernel_of(const KernelId& k) {
  switch (k.shape) {
    case Shape::single:
      return single_kernel(k.storage, k.together, k.blocks);
    case Shape::cluster:
      return cluster_kernel(k.group, k.stages, k.blocks);
    case Shape::grid:
      return grid_kernel(k.blocks);
  }
  return {};
}

Plan cluster_plan(const DeviceNetwork& net, const DeviceFacts& device) {
  std::string why = "a cluster of SMs cannot play this model: not even one fits at once";
  for (const int most : {16, 8}) {  // 8: what every device with clusters must offer
    PlanCandidate c = plan_cluster(net.records(), device, step_facts(), most);
    if (!c) {
      why = c.why_not;
      continue;
    }
    if (prepare_cluster(kernel_of(c.kernel), c.ctas, c.shared_bytes) >= 1)
      return std::make_unique<StepPlan>(std::move(c));
  }
  throw PlanUnsuited(why);
}

Plan grid_plan(const DeviceNetwork& net, const DeviceFacts& device) {
  PlanCandidate c = needed(plan_grid(net.records(), device, step_facts(), device.sms));
  const int can = prepare_grid(kernel_of(c.kernel), c.shared_bytes);
  if (can < 2) throw PlanUnsuited("the device cannot run CTAs that wait for one another");
  if (can < c.ctas) c = needed(plan_grid(net.records(), device, step_facts(), can));
  return std::make_unique<StepPlan>(std::move(c));
}

}  // namespace

StepFacts step_facts() {
  StepFacts f;
  f.warps = kWarps;
  f.max_vocab = kMaxVocab;
  f.bars = 8 * kBars;
  f.layer_run = sizeof(LayerRun<float>);
  f.tier_run = sizeof(TierRun);
  f.cursor = sizeof(Cursor);
  f.warp_sums = sizeof(float) * kWarpSums;
  f.columns = {PartialSums::kPairs, PartialSums::kRowsD, PartialSums::kRowsX};
  f.resident = {
      ResidentShape::kWidth,         ResidentShape::kInner,      ResidentShape::kStates,
      ResidentShape::kRank,          ResidentShape::kRows,       ResidentShape::kMaxLayers,
      sizeof(ResidentShape::Shared), ResidentShape::kLayerBytes, ResidentShape::kTableBytes};
  return f;
}

StepPlan::StepPlan(PlanCandidate plan) : plan_(std::move(plan)), kernels_(kernel_of(plan_.kernel)) {
  kernels_.each(
      [](StepKernel kernel) { allow_shared_memory(reinterpret_cast<const void*>(kernel)); });
  std::vector<Role> roles;
  std::vector<Resident> resident;
  for (const StagePlan& s : plan_.stages) {
    roles.push_back(s.role);
    resident.insert(resident.end(), s.places.begin(), s.places.end());
  }
  resident_ = DeviceBuffer<Resident>(resident);
  const Resident* places = resident_.data();
  for (std::size_t r = 0; r < roles.size(); ++r) {
    roles[r].resident = places;
    places += plan_.stages[r].places.size();
  }
  roles_ = DeviceBuffer<Role>(roles);
}

void StepPlan::fill(Launch& launch) const {
  launch.roles = roles_.data();
  launch.n_roles = static_cast<int>(roles_.size());
  launch.stages = plan_.links;
  launch.ll_words_per_replica = static_cast<std::uint32_t>(plan_.ll.words);
  std::copy(std::begin(plan_.ll.at), std::end(plan_.ll.at), launch.ll_at);
}

void StepPlan::launch(const Launch& launch, int groups, bool by_hand, cudaStream_t stream) const {
  const StepKernel kernel = by_hand ? kernels_.by_hand : kernels_.as_said;
  const std::size_t shared = plan_.shared_bytes;
  switch (plan_.kernel.shape) {
    case Shape::single:
      return launch_single(kernel, launch, groups, shared, stream);
    case Shape::cluster:
      return launch_cluster(kernel, launch, plan_.ctas, shared, stream);
    case Shape::grid:
      return launch_grid(kernel, launch, plan_.ctas, shared, stream);
  }
}

Plan single_plan(const DeviceNetwork& net, const DeviceFacts& device, int together) {
  PlanCandidate c = needed(plan_single(net.records(), device, step_facts(), together));
  return std::make_unique<StepPlan>(std::move(c));
}

Plan choose_plan(const DeviceNetwork& net, const DeviceFacts& device, const std::string& wanted) {
  if (wanted == "single") return single_plan(net, device);
  if (wanted == "cluster") return cluster_plan(net, device);
  if (wanted == "grid") return grid_plan(net, device);
  if (!wanted.empty())
    throw DeviceError("expected a plan single, cluster or grid, found " + wanted);
  Plan best;
  std::string why;
  const auto consider = [&](const auto& make) {
    try {
      Plan plan = make();
      if (!best || plan->estimate_us() < best->estimate_us()) best = std::move(plan);
    } catch (const DeviceError& e) {  // unsuited, or the driver refused: another one may do
      why = e.what();
    }
  };
  consider([&] { return cluster_plan(net, device); });
  consider([&] { return grid_plan(net, device); });
  consider([&] { return single_plan(net, device); });
  if (!best) throw DeviceError(why);
  return best;
}

}  // namespace mambo::cuda
