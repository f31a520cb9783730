// A grid: any layers.
#include "kernels/cuda/step/grid_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernel grid_any() { return play_grid<AnyShape, S6, S4D>; }

}  // namespace mambo::cuda
