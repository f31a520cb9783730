// A cluster: stages of S4D and a group that splits rows, any layers.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_rows_s4d_any() { return cluster_kernels<RoleKind::rows, S4D, S6, S4D>(); }

}  // namespace mambo::cuda
