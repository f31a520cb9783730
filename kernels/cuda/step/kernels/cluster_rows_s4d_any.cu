// A cluster: a group that splits rows, any layers, beside stages of S4D.
#include "kernels/cuda/step/cluster_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernel cluster_rows_s4d_any() { return play_cluster<RoleKind::rows, true, true>; }

}  // namespace mambo::cuda
