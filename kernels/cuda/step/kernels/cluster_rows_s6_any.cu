// A cluster: a group that splits rows, any layers, alone or beside stages of S6.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernel cluster_rows_s6_any() { return play_cluster<RoleKind::rows, false, true>; }

}  // namespace mambo::cuda
