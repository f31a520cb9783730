// A cluster: stages of S6 and a group that splits columns of S6.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels cluster_columns_s6() { return cluster_kernels<RoleKind::columns, S6, S6>(); }

}  // namespace mambo::cuda
