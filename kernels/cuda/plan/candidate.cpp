#include "kernels/cuda/plan/candidate.h"

namespace mambo::cuda {

std::string PlanCandidate::text() const {
  if (kernel.shape == Shape::single) return "one SM per stream";
  if (kernel.shape == Shape::grid) return "a grid of " + std::to_string(ctas) + " SMs";
  const bool columns = by_columns(stages.back().role.kind);
  if (links == 0)
    return (columns ? "a column-parallel group of " : "a cluster of ") + std::to_string(ctas) +
           " SMs";
  std::string pipeline = links == 1 ? "1 SM" : "a pipeline of " + std::to_string(links) + " SMs";
  if (ctas == links) return pipeline;
  return pipeline + " and " + (columns ? "a column-parallel group of " : "") +
         std::to_string(ctas - links) + " beside it, one cluster";
}

}  // namespace mambo::cuda
