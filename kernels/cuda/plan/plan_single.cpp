// One CTA plays everything: the fallback for any device, and the way to play many streams at once.
#include <utility>

#include "kernels/cuda/plan/stage_builder.h"

namespace mambo::cuda {

PlanCandidate plan_single(const NetworkRecords& net, const DeviceFacts& device,
                          const StepFacts& facts, int together) {
  if (together > 1 && net.storage != WeightStorage::half)
    return unsuited("several streams an SM need half storage");
  if (together > 1 && !blocks_of(net).fixed)
    return unsuited("several streams an SM need a window of 4 and at most 16 states");
  StageBuilder b(net, device, facts, together);
  b.stage.role.end = net.view.n_layers;
  b.vectors(0, net.view.n_layers);
  if (!b.fits()) return unsuited(b.too_big());
  b.weights(0, net.view.n_layers, true);

  PlanCandidate c;
  c.kernel = {Shape::single, together, net.storage, blocks_of(net)};
  c.shared_bytes = b.stage.shared_bytes;
  c.estimate_us = 2.0 + streamed_us(static_cast<double>(b.stage.streamed));
  for (const LayerDev& l : net.layers) c.estimate_us += b.rate_of(l.tier) * 3.2;
  c.stages.push_back(std::move(b.stage));
  return c;
}

}  // namespace mambo::cuda
