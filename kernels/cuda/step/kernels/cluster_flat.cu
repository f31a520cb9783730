// A cluster: one tier of S6 layers, split by columns.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_flat() { return cluster_kernels<RoleKind::flat_columns, NoPipeline, S6>(); }

}  // namespace mambo::cuda
