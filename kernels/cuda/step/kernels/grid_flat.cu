// A grid: one tier of S6 layers, K = 4 and N of at most 16.
#include "kernels/cuda/step/grid_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels grid_flat() { return grid_kernels<FlatShape, S6>(); }

}  // namespace mambo::cuda
