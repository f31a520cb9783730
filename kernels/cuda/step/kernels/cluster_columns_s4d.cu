// A cluster: stages of S4D and a group that splits columns of S6.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_columns_s4d() { return cluster_kernels<RoleKind::columns, S4D, S6>(); }

}  // namespace mambo::cuda
