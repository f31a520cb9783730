// A cluster: any layers, split by rows.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_rows() { return cluster_kernels<RoleKind::rows, NoPipeline, S6, S4D>(); }

}  // namespace mambo::cuda
