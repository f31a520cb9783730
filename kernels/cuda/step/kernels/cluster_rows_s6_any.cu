// A cluster: stages of S6 and a group that splits rows, any layers.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_rows_s6_any() { return cluster_kernels<RoleKind::rows, S6, S6, S4D>(); }

}  // namespace mambo::cuda
