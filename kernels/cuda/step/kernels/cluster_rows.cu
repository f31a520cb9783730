// A cluster: any layers, split by rows.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernel cluster_rows() { return play_cluster<RoleKind::rows, NoPipeline, S6, S4D>; }

}  // namespace mambo::cuda
