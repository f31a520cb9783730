// A grid: any layers.
#include "kernels/cuda/step/grid_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernels grid_any() { return grid_kernels<AnyShape, S6, S4D>(); }

}  // namespace mambo::cuda
